"""Has Cinder's driver for Virtuozzo Storage look after volumes: `cinder-driver.py SHARES_CONFIG BASE_DIRECTORY`.

Runs where /etc/pstorage is the etc/pstorage of PSTORAGE_ROOT, and the programs are in PATH."""

import os
import subprocess
import sys
import types
import uuid

from cinder import objects

objects.register_all()

from cinder.volume import configuration  # noqa: E402
from cinder.volume.drivers import vzstorage  # noqa: E402
from oslo_concurrency import lockutils, processutils  # noqa: E402
from oslo_config import cfg  # noqa: E402

shares, base = sys.argv[1:]
os.makedirs(base, exist_ok=True)


def run(*command, run_as_root=False, root_helper=None, **options):
    """As a service does that is root already."""
    return processutils.execute(*command, **options)


cfg.CONF([], project="cinder", default_config_files=[])
lockutils.set_defaults(os.path.dirname(shares))
settings = configuration.Configuration(
    vzstorage.vzstorage_opts, config_group=configuration.SHARED_CONF_GROUP
)
for name, value in (("shares_config", shares), ("mount_point_base", base)):
    cfg.CONF.set_override(f"vzstorage_{name}", value, group=configuration.SHARED_CONF_GROUP)
# None is asked; that there is one is.
cfg.CONF.set_override("connection", "sqlite://", group="database")
driver = vzstorage.VZStorageDriver(execute=run, configuration=settings)
driver._remotefsclient.set_execute(run)
driver.do_setup(None)


def volume_of(volume_format):
    identity = str(uuid.uuid4())
    return types.SimpleNamespace(
        id=identity,
        name=f"volume-{identity}",
        size=1,
        status="available",
        provider_location=None,
        encryption_key_id=None,
        volume_type=None,
        attach_status="detached",
        obj_context=None,
        volume_attachment=[],
        metadata={"volume_format": volume_format},
    )


def image_of(volume, name=None):
    path = os.path.join(driver._local_volume_dir(volume), name or driver.get_active_image_from_info(volume))
    return path, driver._qemu_img_info(path, volume.name).file_format


def snapshot_of(volume):
    identity = str(uuid.uuid4())
    return types.SimpleNamespace(
        id=identity, display_name=identity, volume=volume, volume_id=volume.id, volume_size=1, status="creating", encryption_key_id=None
    )


def qemu_io(path, image_format, *commands):
    words = [word for command in commands for word in ("-c", command)]
    said = subprocess.run(["qemu-io", "-f", image_format, *words, path], check=True, capture_output=True, text=True)
    assert "verification failed" not in said.stdout, said.stdout


for volume_format in ("raw", "qcow2"):
    volume = volume_of(volume_format)
    driver.create_volume(volume)
    path, found = image_of(volume)
    assert found == volume_format, found
    driver.extend_volume(volume, 2)
    assert driver._is_file_size_equal(path, 2), path
    qemu_io(path, found, "write -P 7 1M 64k")

    # What was there before is read through the snapshot, and written over in it alone.
    first = snapshot_of(volume)
    driver.create_snapshot(first)
    path, found = image_of(volume)
    assert found == "qcow2" and path.endswith(first.id), (path, found)
    qemu_io(path, found, "read -P 7 1M 64k", "write -P 9 1M 64k")

    copy = volume_of("raw")
    copy.provider_location = volume.provider_location
    driver._copy_volume_from_snapshot(first, copy, 2)
    qemu_io(image_of(copy, copy.name)[0], "raw", "read -P 7 1M 64k")

    # The older of two snapshots goes into what it was made of.
    second = snapshot_of(volume)
    driver.create_snapshot(second)
    driver.delete_snapshot(first)
    path, found = image_of(volume)
    assert path.endswith(second.id), path
    qemu_io(path, found, "read -P 9 1M 64k")
    driver.delete_volume(volume)
    assert not os.path.exists(path), path

[share] = driver._mounted_shares
total, free, used = driver._get_capacity_info(share)
assert 0 < free <= total and used > 0, (total, free, used)
subprocess.run(["umount", driver._get_mount_point_for_share(share)], check=True)
print("volumes made")
