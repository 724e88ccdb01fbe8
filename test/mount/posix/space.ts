import { FALLOC, O, S, SEEK } from "../linux.js";
import { posix } from "../stage.js";

const KIB = 1024;
const MIB = KIB * KIB;

export function fallocateCases(): void {
  posix("fallocate grows the file with zeros; with KEEP_SIZE it does not grow", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "data");
    await s.touches(root, { f: "mc" }, () => root.ok("fallocate", fd, 0, 0, 100_000));
    s.expect("size", (await root.see(fd)).size, 100_000);
    const found = await root.pread(fd, 100_000, 0);
    s.expect("data", found.subarray(0, 4).toString(), "data");
    s.expect(
      "zeros",
      found.subarray(4).every((byte) => byte === 0),
    );
    await root.ok("fallocate", fd, FALLOC.KEEP_SIZE, 0, 500_000);
    s.expect("size is kept", (await root.see(fd)).size, 100_000);
    await root.ok("fallocate", fd, 0, 50_000, 10);
    s.expect("size is kept", (await root.see(fd)).size, 100_000);
    await root.ok("ftruncate", fd, 200_000);
    s.expect(
      "zeros",
      (await root.pread(fd, 100_000, 100_000)).every((byte) => byte === 0),
    );
  });

  posix("a punched hole reads as zeros, the size stays, and the rest too", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.pwrite(fd, "x".repeat(300_000), 0);
    const mode = FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE;
    await s.touches(root, { f: "mc" }, () => root.ok("fallocate", fd, mode, 1000, 200_000));
    await root.ok("fallocate", fd, mode, 250_000, 10 * MIB);
    const found = await root.pread(fd, 300_000, 0);
    s.expect("size", found.length, 300_000);
    s.expect(
      "before",
      found.subarray(0, 1000).every((byte) => byte === 0x78),
    );
    s.expect(
      "hole",
      found.subarray(1000, 201_000).every((byte) => byte === 0),
    );
    s.expect(
      "between",
      found.subarray(201_000, 250_000).every((byte) => byte === 0x78),
    );
    s.expect(
      "to the end",
      found.subarray(250_000).every((byte) => byte === 0),
    );
    await root.ok("fallocate", fd, mode, 5 * MIB, 10);
    await root.no("EOPNOTSUPP", "fallocate", fd, FALLOC.PUNCH_HOLE, 0, 10);
  });

  posix("a zeroed range reads as zeros and may grow the file", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.pwrite(fd, "x".repeat(50_000), 0);
    await s.touches(root, { f: "mc" }, () => root.ok("fallocate", fd, FALLOC.ZERO_RANGE, 100, 20_000));
    await root.ok("fallocate", fd, FALLOC.ZERO_RANGE | FALLOC.KEEP_SIZE, 40_000, 40_000);
    s.expect("size is kept", (await root.see(fd)).size, 50_000);
    await root.ok("fallocate", fd, FALLOC.ZERO_RANGE, 49_000, 11_000);
    s.expect("size", (await root.see(fd)).size, 60_000);
    const found = await root.pread(fd, 70_000, 0);
    s.expect("left", found.filter((byte) => byte === 0x78).length, 50_000 - 20_000 - 10_000);
  });

  posix("fallocate refuses wrong ranges, modes and files", async (s) => {
    const { root } = await s.users("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.no("EINVAL", "fallocate", fd, 0, 0, 0);
    await root.no("EINVAL", "fallocate", fd, 0, -1, 10);
    await root.no("EINVAL", "fallocate", fd, 0, 0, -1);
    await root.no("EOPNOTSUPP", "fallocate", fd, 0x4000, 0, 10);
    await root.no("EFBIG", "fallocate", fd, 0, 2 ** 62, 2 ** 62);
    const reader = await root.open("f", O.RDONLY);
    await root.no("EBADF", "fallocate", reader, 0, 0, 10);
    await root.no("EBADF", "fallocate", 999, 0, 0, 10);
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    const pipe = await root.open("p", O.RDWR);
    await root.no("ESPIPE", "fallocate", pipe, 0, 0, 10);
    await root.mkdir("d");
    await root.no("EBADF", "fallocate", await root.open("d", O.RDONLY), 0, 0, 10);
    await root.gives(0, "posix_fallocate", fd, 0, 1000);
    s.expect("size", (await root.see(fd)).size, 1000);
  });

  posix("ranges are not collapsed or inserted at odd places", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.pwrite(fd, "x".repeat(20_000), 0);
    await root.does("fallocate", fd, FALLOC.COLLAPSE_RANGE, 4096, 4096);
    await root.does("fallocate", fd, FALLOC.INSERT_RANGE, 4096, 4096);
    await root.see(fd);
  });

  posix("fallocate by an ordinary user clears setuid, and needs space only where it writes", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o666, "text");
    await root.ok("chmod", "f", 0o6777);
    const fd = await ann.open("f", O.RDWR);
    await ann.ok("fallocate", fd, 0, 0, 1000);
    await root.see("f");
  });
}

export function seekCases(): void {
  posix("SEEK_DATA and SEEK_HOLE find data and holes, the end being a hole", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.pwrite(fd, "x".repeat(64 * KIB), 0);
    await root.pwrite(fd, "y".repeat(64 * KIB), 8 * MIB);
    await root.ok("ftruncate", fd, 16 * MIB);
    await root.ok("fsync", fd);
    await root.gives(0, "lseek", fd, 0, SEEK.DATA);
    await root.gives(10, "lseek", fd, 10, SEEK.DATA);
    const hole = await root.quietly("lseek", fd, 0, SEEK.HOLE);
    s.expect("a hole lies between", hole.value >= 64 * KIB && hole.value <= 8 * MIB);
    const data = await root.quietly("lseek", fd, 4 * MIB, SEEK.DATA);
    s.expect("data are not missed", data.value >= 4 * MIB && data.value <= 8 * MIB);
    const end = await root.quietly("lseek", fd, 8 * MIB, SEEK.HOLE);
    s.expect("then a hole again", end.value > 8 * MIB && end.value <= 16 * MIB);
    await root.no("ENXIO", "lseek", fd, 16 * MIB, SEEK.DATA);
    await root.no("ENXIO", "lseek", fd, 16 * MIB, SEEK.HOLE);
    await root.no("ENXIO", "lseek", fd, -1, SEEK.DATA);
  });

  posix("a file that is all hole, one that is all data, and an empty one", async (s) => {
    const root = await s.user("root");
    const empty = await root.open("empty", O.CREAT | O.RDWR);
    await root.no("ENXIO", "lseek", empty, 0, SEEK.DATA);
    await root.no("ENXIO", "lseek", empty, 0, SEEK.HOLE);
    const hole = await root.open("hole", O.CREAT | O.RDWR);
    await root.ok("ftruncate", hole, MIB);
    await root.gives(0, "lseek", hole, 0, SEEK.HOLE);
    await root.no("ENXIO", "lseek", hole, 0, SEEK.DATA);
    const full = await root.open("full", O.CREAT | O.RDWR);
    await root.pwrite(full, "x".repeat(MIB), 0);
    await root.ok("fsync", full);
    await root.gives(MIB, "lseek", full, 0, SEEK.HOLE);
    await root.gives(5000, "lseek", full, 5000, SEEK.DATA);
  });

  posix("cp --sparse and tar --sparse keep what is in a sparse file", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.ok("ftruncate", fd, 64 * MIB);
    await root.pwrite(fd, "here", 40 * MIB);
    await root.close(fd);
    await root.run("cp", "--sparse=always", "f", "g");
    await root.run("cmp", "f", "g");
    s.expect("size", (await root.see("g")).size, 64 * MIB);
    s.expect("blocks are few", (await root.stat("g")).blocks < 20_000);
  });
}

export function copyRangeCases(): void {
  posix("copy_file_range copies inside and between files, and moves the given offsets", async (s) => {
    const root = await s.user("root");
    const text = Array.from({ length: 3000 }, (_, index) => `line ${index}\n`).join("");
    await root.file("f", 0o644, text);
    const source = await root.open("f", O.RDWR);
    const target = await root.open("g", O.CREAT | O.RDWR);
    await root.gives(text.length, "copy_file_range", source, null, target, null, text.length + 500, 0);
    s.expect("same", (await root.content("g")) === text);
    await root.gives(text.length, "lseek", source, 0, SEEK.CUR);
    const offset = (at: number): { inout: Uint8Array } => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(at));
      return { inout: new Uint8Array(bytes) };
    };
    const { out } = await root.fill("copy_file_range", source, offset(100), target, offset(50_000), 1000, 0);
    s.expect("offset in", Number(out[0]?.readBigInt64LE(0)), 1100);
    s.expect("offset out", Number(out[1]?.readBigInt64LE(0)), 51_000);
    s.expect("copied", (await root.pread(target, 1000, 50_000)).toString() === text.slice(100, 1100));
    await root.gives(100, "copy_file_range", source, offset(0), source, offset(20_000), 100, 0);
    await root.no("EINVAL", "copy_file_range", source, offset(0), source, offset(50), 100, 0);
    await root.no("EINVAL", "copy_file_range", source, null, target, null, 1, 7);
    await root.gives(0, "copy_file_range", source, offset(10_000_000), target, offset(0), 10, 0);
  });

  posix("copy_file_range refuses descriptors that do not fit", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "text");
    const reader = await root.open("f", O.RDONLY);
    const writer = await root.open("g", O.CREAT | O.WRONLY);
    await root.no("EBADF", "copy_file_range", writer, null, writer, null, 1, 0);
    await root.no("EBADF", "copy_file_range", reader, null, reader, null, 1, 0);
    await root.no("EBADF", "copy_file_range", 999, null, writer, null, 1, 0);
    const appender = await root.open("g", O.WRONLY | O.APPEND);
    await root.no("EBADF", "copy_file_range", reader, null, appender, null, 1, 0);
    await root.mkdir("d");
    const directory = await root.open("d", O.RDONLY);
    await root.no("EISDIR", "copy_file_range", directory, null, writer, null, 1, 0);
  });

  posix("copy_file_range sets the target's times and clears its setuid", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o644, "text");
    await root.file("g", 0o666);
    await root.ok("chmod", "g", 0o4777);
    const source = await ann.open("f", O.RDONLY);
    const target = await ann.open("g", O.WRONLY);
    await s.touches(root, { g: "mc", f: "" }, () =>
      ann.gives(4, "copy_file_range", source, null, target, null, 4, 0),
    );
    await root.see("g");
  });
}
