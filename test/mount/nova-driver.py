"""Attaches a volume as Nova does for a machine of libvirt: `nova-driver.py SHARE BASE_DIRECTORY USER GROUP CACHE_FILE`.

Runs where /etc/pstorage is the etc/pstorage of PSTORAGE_ROOT, and the programs are in PATH."""

import grp
import os
import pwd
import stat
import subprocess
import sys

import nova.conf
from nova.virt.libvirt.volume import vzstorage
from oslo_concurrency import lockutils, processutils

share, base, user, group, cache = sys.argv[1:]
os.makedirs(base, exist_ok=True)


def run(*command, run_as_root=False, root_helper=None, **options):
    """As a service does that is root already."""
    return processutils.execute(*command, **options)


settings = nova.conf.CONF
settings([], project="nova", default_config_files=[])
lockutils.set_defaults(os.path.dirname(base))
for name, value in {
    "mount_point_base": base,
    "mount_user": user,
    "mount_group": group,
    "cache_path": cache,
    "mount_opts": ["-v", "-R", "64"],
}.items():
    settings.set_override(f"vzstorage_{name}", value, group="libvirt")
driver = vzstorage.LibvirtVZStorageVolumeDriver(None)
driver.connector.set_execute(run)

connection = {"data": {"export": share, "name": "volume-1", "format": "raw"}}
driver.connect_volume(connection, None)
path = connection["data"]["device_path"]
point = os.path.dirname(path)
found = os.stat(point)
assert stat.S_IMODE(found.st_mode) == 0o770, oct(found.st_mode)
assert pwd.getpwuid(found.st_uid).pw_name == user, found.st_uid
assert grp.getgrgid(found.st_gid).gr_name == group, found.st_gid
assert os.path.getsize(cache % {"cluster_name": "lab"}) > 0
subprocess.run(["qemu-img", "create", "-q", "-f", "raw", path, "1G"], check=True)
# As the machine does it: Nova asks libvirt for `writeback`, which leaves it to the kernel when it writes, and flushes.
for mode, *commands in (("writeback", "write -P 5 0 1M", "flush"), ("none", "read -P 5 0 1M")):
    words = [word for command in commands for word in ("-c", command)]
    said = subprocess.run(["qemu-io", "-f", "raw", "-t", mode, *words, path], check=True, capture_output=True, text=True)
    assert "verification failed" not in said.stdout, said.stdout
# A second volume of the same share finds it mounted.
driver.connect_volume({"data": {"export": share, "name": "volume-2", "format": "raw"}}, None)
driver.disconnect_volume(connection, None)
subprocess.run(["umount", point], check=True)
print("volume attached")
