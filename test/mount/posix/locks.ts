import { F, flockStruct, L, LOCK, lockOf, O, SEEK } from "../linux.js";
import type { Scene } from "../scene.js";
import { posix } from "../stage.js";
import type { User } from "../user.js";

/** Long enough for a call to be waiting. */
const WAITING_MS = 150;

const flock = (type: number, start: number, length: number): { inout: Uint8Array } => ({
  inout: new Uint8Array(flockStruct(type, start, length)),
});

/** What F_GETLK says; whose lock it is as a word. */
async function see(
  s: Scene,
  user: User,
  other: User,
  fd: number,
  type: number,
  start: number,
  length: number,
): Promise<void> {
  const { errno, out } = await user.quietly("fcntl", fd, F.GETLK, flock(type, start, length));
  const found = lockOf(out[0] ?? Buffer.alloc(32));
  const owner = found.pid === other.agent.pid ? "the other's" : "";
  const text = found.type === L.UNLCK ? "free" : `${found.type} ${found.start}+${found.length} ${owner}`;
  s.note(`lock in the way of ${type} ${start}+${length}`, errno ?? text);
}

/** Begins a call that may have to wait. */
function startWaiting(
  user: User,
  name: string,
  ...args: readonly (number | { inout: Uint8Array })[]
): { isOver: () => boolean; outcome: Promise<string> } {
  let over = false;
  const outcome = user.quietly(name, ...args).then(({ value, errno }) => {
    over = true;
    return errno ?? String(value);
  });
  return { isOver: () => over, outcome };
}

export function flockCases(): void {
  posix("flock: readers together, a writer alone, per open file", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f");
    const mine = await root.open("f", O.RDONLY);
    const second = await root.open("f", O.RDONLY);
    const theirs = await twin.open("f", O.RDONLY);
    await root.ok("flock", mine, LOCK.SH);
    await twin.ok("flock", theirs, LOCK.SH | LOCK.NB);
    await root.no("EAGAIN", "flock", mine, LOCK.EX | LOCK.NB);
    await twin.ok("flock", theirs, LOCK.UN);
    await root.ok("flock", mine, LOCK.SH);
    await root.ok("flock", mine, LOCK.EX | LOCK.NB);
    await twin.no("EAGAIN", "flock", theirs, LOCK.SH | LOCK.NB);
    await root.no("EAGAIN", "flock", second, LOCK.SH | LOCK.NB);
    const copy = await root.ok("dup", mine);
    await root.close(mine);
    await twin.no("EAGAIN", "flock", theirs, LOCK.SH | LOCK.NB);
    await root.close(copy);
    await twin.ok("flock", theirs, LOCK.EX | LOCK.NB);
    await root.no("EINVAL", "flock", second, 0);
    await root.no("EBADF", "flock", 999, LOCK.SH);
  });

  posix("flock waits until it can be had, or a signal comes", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f");
    const mine = await root.open("f", O.RDONLY);
    const theirs = await twin.open("f", O.RDONLY);
    await root.ok("flock", mine, LOCK.EX);
    const waiting = startWaiting(twin, "flock", theirs, LOCK.EX);
    await s.tick(WAITING_MS);
    s.expect("waits", !waiting.isOver());
    await root.ok("flock", mine, LOCK.UN);
    s.expect("then has it", await waiting.outcome, "0");
    const again = startWaiting(root, "flock", mine, LOCK.SH);
    await s.tick(WAITING_MS);
    s.expect("waits", !again.isOver());
    root.agent.interrupt();
    s.expect("interrupted", await again.outcome, "EINTR");
    await root.no("EAGAIN", "flock", mine, LOCK.SH | LOCK.NB);
  });

  posix("a flock ends with its process", async (s) => {
    const { root } = await s.users("root");
    await root.file("f");
    const fd = await root.open("f", O.RDONLY);
    await root.run("flock", "-x", "f", "true");
    await root.ok("flock", fd, LOCK.EX | LOCK.NB);
    const { value } = await root.agent.run(["flock", "-n", "f", "true"]);
    s.expect("another program does not get it", value, 1);
  });
}

export function fcntlCases(): void {
  posix("fcntl locks: ranges, readers together, splitting and joining, as F_GETLK tells", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f", 0o644, "x".repeat(100));
    const mine = await root.open("f", O.RDWR);
    const theirs = await twin.open("f", O.RDWR);
    await root.ok("fcntl", mine, F.SETLK, flock(L.WRLCK, 10, 20));
    await twin.no("EAGAIN", "fcntl", theirs, F.SETLK, flock(L.WRLCK, 29, 1));
    await twin.no("EAGAIN", "fcntl", theirs, F.SETLK, flock(L.RDLCK, 0, 11));
    await twin.ok("fcntl", theirs, F.SETLK, flock(L.WRLCK, 30, 5));
    await twin.ok("fcntl", theirs, F.SETLK, flock(L.RDLCK, 0, 10));
    await see(s, twin, root, theirs, L.RDLCK, 0, 100);
    await root.ok("fcntl", mine, F.SETLK, flock(L.UNLCK, 15, 5));
    await see(s, twin, root, theirs, L.WRLCK, 0, 0);
    await see(s, twin, root, theirs, L.WRLCK, 15, 5);
    await see(s, twin, root, theirs, L.WRLCK, 16, 50);
    await root.ok("fcntl", mine, F.SETLK, flock(L.RDLCK, 12, 10));
    await see(s, twin, root, theirs, L.RDLCK, 12, 10);
    await see(s, twin, root, theirs, L.WRLCK, 12, 10);
    await see(s, root, twin, mine, L.WRLCK, 30, 0);
    await see(s, root, twin, mine, L.RDLCK, 0, 10);
    await root.ok("fcntl", mine, F.SETLK, flock(L.UNLCK, 0, 0));
    await see(s, twin, root, theirs, L.WRLCK, 0, 0);
  });

  posix("fcntl locks to the end of the file, from the position and with negative lengths", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f", 0o644, "x".repeat(100));
    const mine = await root.open("f", O.RDWR);
    const theirs = await twin.open("f", O.RDWR);
    await root.ok("fcntl", mine, F.SETLK, flock(L.WRLCK, 50, 0));
    await see(s, twin, root, theirs, L.WRLCK, 1_000_000_000_000, 1);
    await see(s, twin, root, theirs, L.WRLCK, 0, 50);
    await root.ok("fcntl", mine, F.SETLK, flock(L.UNLCK, 0, 0));
    await root.ok("fcntl", mine, F.SETLK, { inout: new Uint8Array(flockStruct(L.WRLCK, -10, 5, SEEK.END)) });
    await see(s, twin, root, theirs, L.WRLCK, 0, 0);
    await root.ok("fcntl", mine, F.SETLK, flock(L.WRLCK, 30, -10));
    await see(s, twin, root, theirs, L.WRLCK, 0, 0);
    await root.no("EINVAL", "fcntl", mine, F.SETLK, flock(L.WRLCK, -1, 5));
    await root.no("EINVAL", "fcntl", mine, F.SETLK, flock(77, 0, 5));
  });

  posix("a read lock needs reading, a write lock writing", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    const reader = await root.open("f", O.RDONLY);
    const writer = await root.open("f", O.WRONLY);
    await root.no("EBADF", "fcntl", reader, F.SETLK, flock(L.WRLCK, 0, 1));
    await root.no("EBADF", "fcntl", writer, F.SETLK, flock(L.RDLCK, 0, 1));
    await root.ok("fcntl", reader, F.SETLK, flock(L.RDLCK, 0, 1));
    await root.ok("fcntl", writer, F.SETLK, flock(L.WRLCK, 5, 1));
    await root.no("EBADF", "fcntl", 999, F.SETLK, flock(L.RDLCK, 0, 1));
  });

  posix("closing any descriptor of the file gives up all the process's locks on it", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f");
    const mine = await root.open("f", O.RDWR);
    const another = await root.open("f", O.RDONLY);
    const theirs = await twin.open("f", O.RDWR);
    await root.ok("fcntl", mine, F.SETLK, flock(L.WRLCK, 0, 0));
    await twin.no("EAGAIN", "fcntl", theirs, F.SETLK, flock(L.WRLCK, 0, 0));
    await root.close(another);
    await twin.ok("fcntl", theirs, F.SETLK, flock(L.WRLCK, 0, 0));
  });

  posix("F_SETLKW waits for the range, and a signal interrupts it", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f");
    const mine = await root.open("f", O.RDWR);
    const theirs = await twin.open("f", O.RDWR);
    await root.ok("fcntl", mine, F.SETLK, flock(L.WRLCK, 0, 10));
    const waiting = startWaiting(twin, "fcntl", theirs, F.SETLKW, flock(L.RDLCK, 5, 10));
    await s.tick(WAITING_MS);
    s.expect("waits", !waiting.isOver());
    await root.ok("fcntl", mine, F.SETLK, flock(L.UNLCK, 5, 5));
    s.expect("has it", await waiting.outcome, "0");
    const again = startWaiting(root, "fcntl", mine, F.SETLKW, flock(L.WRLCK, 5, 1));
    await s.tick(WAITING_MS);
    root.agent.interrupt();
    s.expect("interrupted", await again.outcome, "EINTR");
    await twin.ok("fcntl", theirs, F.SETLK, flock(L.WRLCK, 5, 1));
  });

  posix("F_SETLKW that would wait for ever fails with EDEADLK", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f");
    const mine = await root.open("f", O.RDWR);
    const theirs = await twin.open("f", O.RDWR);
    await root.ok("fcntl", mine, F.SETLK, flock(L.WRLCK, 0, 1));
    await twin.ok("fcntl", theirs, F.SETLK, flock(L.WRLCK, 1, 1));
    const waiting = startWaiting(root, "fcntl", mine, F.SETLKW, flock(L.WRLCK, 1, 1));
    await s.tick(WAITING_MS);
    const outcome = startWaiting(twin, "fcntl", theirs, F.SETLKW, flock(L.WRLCK, 0, 1));
    await Promise.race([outcome.outcome, s.tick(2000)]);
    s.expect("noticed", outcome.isOver());
    s.expect("error", outcome.isOver() ? await outcome.outcome : "waits", "EDEADLK");
    if (!outcome.isOver()) twin.agent.interrupt();
    await twin.ok("fcntl", theirs, F.SETLK, flock(L.UNLCK, 1, 1));
    s.expect("the other has it", await waiting.outcome, "0");
  });

  posix("open file description locks belong to the open file", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    const one = await root.open("f", O.RDWR);
    const two = await root.open("f", O.RDWR);
    await root.ok("fcntl", one, F.OFD_SETLK, flock(L.WRLCK, 0, 10));
    await root.no("EAGAIN", "fcntl", two, F.OFD_SETLK, flock(L.WRLCK, 5, 10));
    await root.no("EAGAIN", "fcntl", two, F.SETLK, flock(L.WRLCK, 5, 10));
    const copy = await root.ok("dup", one);
    await root.close(one);
    await root.no("EAGAIN", "fcntl", two, F.OFD_SETLK, flock(L.RDLCK, 5, 10));
    await root.close(copy);
    await root.ok("fcntl", two, F.OFD_SETLK, flock(L.WRLCK, 0, 0));
  });

  posix("fcntl locks and flock do not see each other", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    await root.file("f");
    const mine = await root.open("f", O.RDWR);
    const theirs = await twin.open("f", O.RDWR);
    await root.ok("flock", mine, LOCK.EX);
    await twin.ok("fcntl", theirs, F.SETLK, flock(L.WRLCK, 0, 0));
    await twin.no("EAGAIN", "flock", theirs, LOCK.SH | LOCK.NB);
  });
}
