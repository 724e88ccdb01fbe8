import { decodeEntries, O, type RawEntry, S, SEEK, unixAddress } from "../linux.js";
import { posix } from "../stage.js";
import type { User } from "../user.js";

/** One getdents64. */
async function page(user: User, fd: number, size: number): Promise<RawEntry[]> {
  const { value, out, errno } = await user.quietly("getdents64", fd, { out: size }, size);
  if (errno !== undefined || out[0] === undefined) throw new Error(`getdents64: ${errno}`);
  return decodeEntries(out[0].subarray(0, value));
}

async function all(user: User, fd: number, size = 1000): Promise<RawEntry[]> {
  const entries: RawEntry[] = [];
  for (;;) {
    const next = await page(user, fd, size);
    if (next.length === 0) return entries;
    entries.push(...next);
  }
}

const namesOf = (entries: readonly RawEntry[]): string =>
  entries
    .map(({ name }) => name.toString())
    .sort()
    .join(" ");

export function readdirCases(): void {
  posix("a listing has every entry once, with dot, dot-dot, types and inode numbers", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/file");
    await root.mkdir("d/directory");
    await root.ok("symlink", "x", "d/link");
    await root.ok("mknod", "d/fifo", S.IFIFO | 0o644, 0);
    await root.ok("mknod", "d/socket", S.IFSOCK | 0o644, 0);
    await root.ok("mknod", "d/device", S.IFCHR | 0o644, 0x103);
    const entries = await all(root, await root.open("d", O.RDONLY | O.DIRECTORY));
    s.expect("names", namesOf(entries), ". .. device directory fifo file link socket");
    entries.sort((a, b) => Buffer.compare(a.name, b.name));
    for (const { name, type, ino } of entries) {
      const path = `d/${name}`;
      const stat = await root.stat(path);
      s.expect(`type of ${name}`, type, stat.mode >> 12);
      s.expect(`inode of ${name}`, ino === stat.ino);
    }
  });

  posix("large directories are listed completely with any buffer, and again after a rewind", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    for (let index = 0; index < 500; index++)
      await root.quietly("mknod", `d/name-${index}`, S.IFREG | 0o644, 0);
    for (const size of [300, 1000, 32_768]) {
      const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
      s.expect("count", new Set((await all(root, fd, size)).map(({ name }) => name.toString())).size, 502);
      await root.gives(0, "lseek", fd, 0, SEEK.SET);
      s.expect("count again", (await all(root, fd, size)).length, 502);
      await root.close(fd);
    }
    const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
    await root.no("EINVAL", "getdents64", fd, { out: 10 }, 10);
  });

  posix("telldir and seekdir: what followed a position follows it again", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    for (let index = 0; index < 50; index++) await root.quietly("mknod", `d/${index}`, S.IFREG | 0o644, 0);
    const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
    const entries = await all(root, fd, 400);
    let isSame = true;
    for (const index of [0, 1, 7, 25, 48, 51]) {
      const entry = entries[index];
      if (entry === undefined) throw new Error("entries are missing");
      const { errno } = await root.quietly("lseek", fd, entry.next, SEEK.SET);
      const rest = await all(root, fd, 400);
      isSame &&= errno === undefined && namesOf(rest) === namesOf(entries.slice(index + 1));
    }
    s.expect("the rest is the same", isSame);
  });

  posix("entries removed or made while a directory is read disturb no other", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    for (let index = 0; index < 300; index++)
      await root.quietly("mknod", `d/old-${index}`, S.IFREG | 0o644, 0);
    const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
    const seen: string[] = [];
    for (let round = 0; ; round++) {
      const entries = await page(root, fd, 800);
      if (entries.length === 0) break;
      for (const { name } of entries) {
        seen.push(name.toString());
        if (name.toString().startsWith("old-")) await root.quietly("unlink", `d/${name}`);
      }
      await root.quietly("mknod", `d/new-${round}`, S.IFREG | 0o644, 0);
    }
    const old = seen.filter((name) => name.startsWith("old-"));
    s.expect("each old one once", `${old.length} ${new Set(old).size}`, "300 300");
    s.expect("nothing twice", new Set(seen).size === seen.length);
    s.expect(
      "all old ones are gone",
      (await root.list("d")).some((name) => name.startsWith("old-")),
      false,
    );
  });

  posix("rm -rf and find see a tree completely", async (s) => {
    const root = await s.user("root");
    for (const one of ["a", "b", "c"]) {
      await root.mkdir(one);
      for (const two of ["a", "b", "c"]) {
        await root.mkdir(`${one}/${two}`);
        for (let index = 0; index < 15; index++)
          await root.quietly("mknod", `${one}/${two}/${index}`, S.IFREG | 0o644, 0);
      }
    }
    const { out } = await root.agent.run(["find", ".", "-type", "f"]);
    s.expect("found", out[0]?.toString().trim().split("\n").length ?? 0, 135);
    await root.run("rm", "-rf", "a", "b", "c");
    s.expect("left", (await root.list(".")).length, 0);
  });

  posix("an open directory shows what comes and goes after a rewind", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
    await root.file("d/one");
    await all(root, fd);
    await root.file("d/two");
    await root.ok("unlink", "d/one");
    await root.ok("lseek", fd, 0, SEEK.SET);
    s.expect("names", namesOf(await all(root, fd)), ". .. two");
    await s.touches(root, { d: "" }, () => all(root, fd));
  });
}

export function statfsCases(): void {
  posix("statfs tells sizes that fit together and names of 255 bytes", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    const { out } = await root.fill("statfs", "f", { out: 120 });
    const bytes = out[0] ?? Buffer.alloc(120);
    const [blockSize, blocks, free, available] = [8, 16, 24, 32].map((at) =>
      Number(bytes.readBigInt64LE(at)),
    );
    const [files, filesFree] = [40, 48].map((at) => Number(bytes.readBigInt64LE(at)));
    s.expect("block size", (blockSize ?? 0) >= 512);
    s.expect("blocks", (blocks ?? 0) > 0 && (free ?? 0) <= (blocks ?? 0) && (available ?? 0) <= (free ?? 0));
    s.expect("files", (files ?? 0) > 0 && (filesFree ?? 0) <= (files ?? 0));
    s.expect("longest name", Number(bytes.readBigInt64LE(64)), 255);
    await root.no("ENOENT", "statfs", "x", { out: 120 });
    await root.no("EBADF", "fstatfs", 999, { out: 120 });
  });

  posix("fsync, fdatasync, syncfs and sync_file_range work on files, and fsync on directories", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "text");
    await root.ok("fsync", fd);
    await root.ok("fdatasync", fd);
    await root.ok("syncfs", fd);
    await root.ok("sync_file_range", fd, 0, 0, 7);
    const reader = await root.open("f", O.RDONLY);
    await root.ok("fsync", reader);
    await root.mkdir("d");
    const directory = await root.open("d", O.RDONLY);
    await root.ok("fsync", directory);
    await root.ok("fdatasync", directory);
    await root.no("EBADF", "fsync", 999);
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    await root.no("EINVAL", "fsync", await root.open("p", O.RDWR));
  });

  posix("a socket is bound to a name, connected to by it, and refused when nobody listens", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    const server = await root.ok("socket", 1, 1, 0);
    const address = new Uint8Array(unixAddress("sock"));
    await root.ok("bind", server, address, 110);
    s.expect("type", (await root.see("sock")).mode & S.IFMT, S.IFSOCK);
    await root.ok("listen", server, 5);
    const client = await root.ok("socket", 1, 1, 0);
    await root.ok("connect", client, address, 110);
    const accepted = await root.ok("accept", server, null, null);
    await root.ok("send", client, "hello", 5, 0);
    s.expect("received", (await root.read(accepted, 10)).toString(), "hello");
    const stranger = await ann.ok("socket", 1, 1, 0);
    await ann.no("EACCES", "connect", stranger, address, 110);
    const second = await root.ok("socket", 1, 1, 0);
    await root.no("EADDRINUSE", "bind", second, address, 110);
    await root.close(server);
    const late = await root.ok("socket", 1, 1, 0);
    await root.no("ECONNREFUSED", "connect", late, address, 110);
    await root.ok("unlink", "sock");
    await root.no("ENOENT", "connect", late, address, 110);
  });

  posix("a fifo joins two processes", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.ok("mkfifo", "p", 0o600);
    const opening = twin.quietly("open", "p", O.RDONLY, 0);
    const writer = await root.open("p", O.WRONLY);
    const reader = (await opening).value;
    await root.write(writer, "one process to another");
    const { value, out } = await twin.quietly("read", reader, { out: 100 }, 100);
    s.expect("read", out[0]?.subarray(0, value).toString() ?? "", "one process to another");
    await root.close(writer);
    s.expect("end", (await twin.quietly("read", reader, { out: 1 }, 1)).value, 0);
    s.expect("size", (await root.see("p")).size, 0);
  });
}
