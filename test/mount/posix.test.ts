import { afterAll, beforeAll, describe, vi } from "vitest";
import { TEST_MS } from "../cluster/ordeal/patience.js";
import { accessCases } from "./posix/access.js";
import { aclCases } from "./posix/acl.js";
import { chmodCases } from "./posix/chmod.js";
import { chownCases } from "./posix/chown.js";
import { linkCases, symlinkCases } from "./posix/links.js";
import { fcntlCases, flockCases } from "./posix/locks.js";
import { mkdirCases, rmdirCases } from "./posix/mkdir.js";
import { mmapCases } from "./posix/mmap.js";
import { nameCases, pathCases } from "./posix/names.js";
import { openCases } from "./posix/open.js";
import { readWriteCases } from "./posix/read-write.js";
import { readdirCases, statfsCases } from "./posix/readdir.js";
import { renameCases } from "./posix/rename.js";
import { copyRangeCases, fallocateCases, seekCases } from "./posix/space.js";
import { truncateCases } from "./posix/truncate.js";
import { unlinkCases } from "./posix/unlink.js";
import { utimensCases } from "./posix/utimens.js";
import { xattrCases } from "./posix/xattr.js";
import { type OpenStage, posixStage } from "./posix-stage.js";
import { setStage } from "./stage.js";

/** Every system call on the mount, with ext4 as the reference. `PSTORAGE_TEST_MOUNT=DIR` takes a mount that is there. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

let open: OpenStage | undefined;

beforeAll(async () => {
  open = await posixStage();
  setStage(open.stage);
});

afterAll(async () => {
  setStage(undefined);
  await open?.close();
});

const SUITES = {
  mkdir: mkdirCases,
  rmdir: rmdirCases,
  open: openCases,
  "read and write": readWriteCases,
  truncate: truncateCases,
  symlink: symlinkCases,
  link: linkCases,
  unlink: unlinkCases,
  rename: renameCases,
  chmod: chmodCases,
  chown: chownCases,
  utimensat: utimensCases,
  "access and mknod": accessCases,
  xattr: xattrCases,
  acl: aclCases,
  flock: flockCases,
  fcntl: fcntlCases,
  fallocate: fallocateCases,
  lseek: seekCases,
  copy_file_range: copyRangeCases,
  mmap: mmapCases,
  readdir: readdirCases,
  "statfs, sync, sockets and fifos": statfsCases,
  names: nameCases,
  paths: pathCases,
};
for (const [name, cases] of Object.entries(SUITES)) describe(name, cases);
