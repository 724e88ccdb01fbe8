"""Mounts a share with os-brick's client for Virtuozzo Storage, and uses it: `os-brick.py SHARE BASE_DIRECTORY`.

Runs where /etc/pstorage is the etc/pstorage of PSTORAGE_ROOT, and the programs are in PATH."""

import os
import subprocess
import sys

from os_brick.remotefs import remotefs
from oslo_concurrency import processutils

share, base = sys.argv[1:]

def run(*command, run_as_root=False, root_helper=None, **options):
    """As a service does that is root already."""
    return processutils.execute(*command, **options)


client = remotefs.VZStorageRemoteFSClient(
    "vzstorage", root_helper="", vzstorage_mount_point_base=base, execute=run
)
client.set_execute(run)
os.makedirs(base, exist_ok=True)
client.mount(share, ["-v"])
# Again: it must see that it is mounted.
client.mount(share)
point = client.get_mount_point(share)
volume = os.path.join(point, "volume-1")
subprocess.run(["truncate", "-s", "1G", volume], check=True)
with open(volume, "r+b") as file:
    file.seek(1 << 29)
    file.write(b"here")
    os.fsync(file.fileno())
space = os.statvfs(point)
assert 0 < space.f_bavail <= space.f_blocks, space
with open("/proc/mounts") as mounts:
    line = next(line for line in mounts if line.split()[1] == point)
assert line.split()[0].startswith("pstorage://") and line.split()[2] == "fuse.pstorage", line
subprocess.run(["umount", point], check=True)
print("volume made")
