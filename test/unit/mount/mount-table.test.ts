import { expect, test } from "vitest";
import { clusterOfSource, mountAt, mountOf } from "../../../src/mount/index.js";
import { deviceAt, parseMountTable } from "../../../src/mount/mount-table.js";

const TABLE = parseMountTable(
  [
    "/dev/sda1 / ext4 rw,relatime 0 0",
    "pstorage://stor1 /mnt/stor1 fuse.pstorage rw,nosuid 0 0",
    "vstorage://stor2 /mnt/with\\040space fuse.vstorage ro 0 0",
    "tmpfs /mnt/stor1/over tmpfs rw 0 0",
    "other /mnt/stor1 ext4 rw 0 0",
    "",
  ].join("\n"),
);

test("the uppermost of several mounts at a place is the one that counts", () => {
  expect(mountAt(TABLE, "/mnt/stor1")?.source).toBe("other");
  expect(mountAt(TABLE, "/mnt")).toBeUndefined();
});

test("names with spaces are read as they are", () => {
  expect(mountAt(TABLE, "/mnt/with space")).toEqual({
    source: "vstorage://stor2",
    directory: "/mnt/with space",
    type: "fuse.vstorage",
    options: ["ro"],
  });
});

test("a path lies on the deepest mount above it, and not on one whose name it only begins with", () => {
  expect(mountOf(TABLE, "/mnt/with space/a/b")?.source).toBe("vstorage://stor2");
  expect(mountOf(TABLE, "/mnt/stor1/over/file")?.source).toBe("tmpfs");
  expect(mountOf(TABLE, "/mnt/stor1x/file")?.source).toBe("/dev/sda1");
  expect(mountOf(TABLE, "/")?.source).toBe("/dev/sda1");
});

test("only sources of ours name a cluster", () => {
  expect(
    ["pstorage://stor1", "vstorage://stor-2/", "pstorage://", "nfs://a", "stor1"].map(clusterOfSource),
  ).toEqual(["stor1", "stor-2", undefined, undefined, undefined]);
});

test("the device of a mount is in mountinfo", () => {
  const mountinfo = [
    "36 35 0:39 / /mnt/a\\040b rw - fuse.pstorage pstorage://a rw",
    "37 35 0:40 / /mnt/c rw - fuse.pstorage pstorage://c rw",
  ].join("\n");
  expect([deviceAt(mountinfo, "/mnt/a b"), deviceAt(mountinfo, "/mnt/b")]).toEqual(["0:39", undefined]);
});
