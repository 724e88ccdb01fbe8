import { MAP, MS, O, PROT } from "../linux.js";
import type { Scene } from "../scene.js";
import { posix } from "../stage.js";
import type { User } from "../user.js";

const PAGE = 4096;

async function map(
  s: Scene,
  user: User,
  fd: number,
  length: number,
  protection: number,
  flags: number,
): Promise<number> {
  const { value, errno } = await user.quietly("mmap", 0, length, protection, flags, fd, 0);
  s.note(`mmap ${length} ${protection} ${flags}`, errno ?? "mapped");
  if (errno !== undefined) throw new Error(`mmap: ${errno}`);
  return value;
}

async function unmap(user: User, address: number, length: number): Promise<void> {
  await user.quietly("munmap", address, length);
}

export function mmapCases(): void {
  posix("a shared mapping shows the file, and what is written into it is in the file", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "0123456789".repeat(1000));
    const address = await map(s, root, fd, 10_000, PROT.READ | PROT.WRITE, MAP.SHARED);
    s.expect("shown", (await root.agent.peek(address + 5000, 10)).toString(), "0123456789");
    await root.agent.poke(address + 5000, Buffer.from("MAPPED"));
    await root.quietly("msync", address, 10_000, MS.SYNC);
    const other = await twin.open("f", O.RDWR);
    s.expect("in the file", (await twin.pread(other, 10, 5000)).toString(), "MAPPED6789");
    await twin.pwrite(other, "WRITTEN", 9000);
    s.expect("a write is seen", (await root.agent.peek(address + 9000, 7)).toString(), "WRITTEN");
    await unmap(root, address, 10_000);
    s.expect("size", (await root.see("f")).size, 10_000);
  });

  posix("two processes share a mapping at once, without msync", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.ok("ftruncate", fd, 4 * PAGE);
    const other = await twin.open("f", O.RDWR);
    const mine = await map(s, root, fd, 4 * PAGE, PROT.READ | PROT.WRITE, MAP.SHARED);
    const theirs = await map(s, twin, other, 4 * PAGE, PROT.READ | PROT.WRITE, MAP.SHARED);
    for (let round = 0; round < 10; round++) {
      await root.agent.poke(mine + round * 1000, Buffer.from(`ping ${round}`));
      s.expect("there", (await twin.agent.peek(theirs + round * 1000, 6)).toString(), `ping ${round}`);
      await twin.agent.poke(theirs + round * 1000, Buffer.from(`pong ${round}`));
      s.expect("and back", (await root.agent.peek(mine + round * 1000, 6)).toString(), `pong ${round}`);
    }
    s.expect("read sees it", (await root.pread(fd, 6, 9000)).toString(), "pong 9");
    await unmap(root, mine, 4 * PAGE);
    await unmap(twin, theirs, 4 * PAGE);
  });

  posix("a private mapping keeps its changes to itself", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "original");
    const address = await map(s, root, fd, PAGE, PROT.READ | PROT.WRITE, MAP.PRIVATE);
    await root.agent.poke(address, Buffer.from("CHANGED!"));
    s.expect("file", (await root.pread(fd, 8, 0)).toString(), "original");
    s.expect("mapping", (await root.agent.peek(address, 8)).toString(), "CHANGED!");
    await unmap(root, address, PAGE);
    const reader = await root.open("f", O.RDONLY);
    const copy = await map(s, root, reader, PAGE, PROT.READ | PROT.WRITE, MAP.PRIVATE);
    s.expect("fresh mapping", (await root.agent.peek(copy, 8)).toString(), "original");
    await unmap(root, copy, PAGE);
  });

  posix(
    "beyond the end a page is zeros, and growing the file does not show what was put there",
    async (s) => {
      const root = await s.user("root");
      const fd = await root.open("f", O.CREAT | O.RDWR);
      await root.write(fd, "abc");
      const address = await map(s, root, fd, PAGE, PROT.READ | PROT.WRITE, MAP.SHARED);
      s.expect(
        "zeros",
        (await root.agent.peek(address + 3, 100)).every((byte) => byte === 0),
      );
      await root.agent.poke(address, Buffer.from("abcdef"));
      await root.quietly("msync", address, PAGE, MS.SYNC);
      s.expect("size", (await root.see("f")).size, 3);
      await root.ok("ftruncate", fd, 10);
      s.expect("grown", (await root.pread(fd, 10, 0)).toString("latin1"), "abc\0\0\0\0\0\0\0");
      await unmap(root, address, PAGE);
    },
  );

  posix("what was mapped and changed is there after close, without msync", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.ok("ftruncate", fd, 100 * PAGE);
    const address = await map(s, root, fd, 100 * PAGE, PROT.READ | PROT.WRITE, MAP.SHARED);
    await root.close(fd);
    for (let page = 0; page < 100; page++)
      await root.agent.poke(address + page * PAGE + page, Buffer.from(`page ${page}`));
    await unmap(root, address, 100 * PAGE);
    const reader = await twin.open("f", O.RDONLY);
    const found = await twin.pread(reader, 100 * PAGE, 0);
    for (let page = 0; page < 100; page++) {
      const text = `page ${page}`;
      const at = page * PAGE + page;
      s.expect(`page ${page}`, found.subarray(at, at + text.length).toString(), text);
    }
  });

  posix("a change through a mapping sets mtime by the time it is synced", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "x".repeat(PAGE));
    const address = await map(s, root, fd, PAGE, PROT.READ | PROT.WRITE, MAP.SHARED);
    await s.touches(root, { f: "mc" }, async () => {
      await root.agent.poke(address, Buffer.from("y"));
      await root.quietly("msync", address, PAGE, MS.SYNC);
    });
    await unmap(root, address, PAGE);
  });

  posix(
    "mappings that are not allowed: writing shared without a write descriptor, of directories",
    async (s) => {
      const { root } = await s.users("root");
      await root.file("f", 0o644, "text");
      const reader = await root.open("f", O.RDONLY);
      await root.no("EACCES", "mmap", 0, PAGE, PROT.READ | PROT.WRITE, MAP.SHARED, reader, 0);
      const writer = await root.open("f", O.WRONLY);
      await root.no("EACCES", "mmap", 0, PAGE, PROT.READ, MAP.SHARED, writer, 0);
      await root.no("EINVAL", "mmap", 0, 0, PROT.READ, MAP.SHARED, reader, 0);
      await root.no("EINVAL", "mmap", 0, PAGE, PROT.READ, MAP.SHARED, reader, 1);
      await root.no("EBADF", "mmap", 0, PAGE, PROT.READ, MAP.SHARED, 999, 0);
      await root.mkdir("d");
      const directory = await root.open("d", O.RDONLY);
      await root.no("ENODEV", "mmap", 0, PAGE, PROT.READ, MAP.SHARED, directory, 0);
    },
  );

  posix("a mapping outlives the name of its file", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "still here".padEnd(PAGE));
    const address = await map(s, root, fd, PAGE, PROT.READ | PROT.WRITE, MAP.SHARED);
    await root.close(fd);
    await root.ok("unlink", "f");
    s.expect("shown", (await root.agent.peek(address, 10)).toString(), "still here");
    await root.agent.poke(address, Buffer.from("and now"));
    await root.quietly("msync", address, PAGE, MS.SYNC);
    s.expect("changed", (await root.agent.peek(address, 7)).toString(), "and now");
    await unmap(root, address, PAGE);
  });
}
