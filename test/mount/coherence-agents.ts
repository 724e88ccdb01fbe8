import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Prng } from "../../src/base/index.js";
import { Agent } from "./agent.js";
import type { MountLab } from "./harness.js";
import { pause } from "./harness.js";
import { F, flockStruct, L, LOCK, MAP, MS, O, PROT } from "./linux.js";

const ROOT = { uid: 0, gid: 0, groups: [0] };
const WAITING_MS = 300;
const PAGE = 4096;

const range = (type: number, start: number, length: number): { inout: Uint8Array } => ({
  inout: new Uint8Array(flockStruct(type, start, length)),
});

/** What needs processes of its own on the two mounts: locks and mappings. */
export function agentTests(labOf: () => MountLab, prng: Prng, rounds: number): void {
  let a: Agent;
  let b: Agent;

  beforeAll(() => {
    [a, b] = [new Agent(ROOT), new Agent(ROOT)];
  });

  afterAll(() => {
    for (const agent of [a, b]) agent?.kill();
  });

  /** The same new file, opened on each mount. */
  async function openBoth(name: string, content = ""): Promise<readonly [number, number]> {
    await writeFile(join(labOf().path(0), name), content);
    const open = async (agent: Agent, index: number): Promise<number> =>
      ok(agent, "open", join(labOf().path(index), name), O.RDWR, 0);
    return [await open(a, 0), await open(b, 1)];
  }

  test("flock on one mount keeps the other out, wakes it, and ends with its process", async () => {
    const [fa, fb] = await openBoth("flock");
    await ok(a, "flock", fa, LOCK.EX);
    expect(await outcome(b, "flock", fb, LOCK.SH | LOCK.NB)).toBe("EAGAIN");
    const waiting = outcome(b, "flock", fb, LOCK.SH);
    expect(await stillWaits(waiting)).toBe(true);
    await ok(a, "flock", fa, LOCK.UN);
    expect(await waiting).toBe(0);
    expect(await outcome(a, "flock", fa, LOCK.EX | LOCK.NB)).toBe("EAGAIN");
    await ok(a, "flock", fa, LOCK.SH);
    const third = new Agent(ROOT);
    const ft = await ok(third, "open", join(labOf().path(0), "flock"), O.RDWR, 0);
    await ok(third, "flock", ft, LOCK.SH);
    await ok(a, "flock", fa, LOCK.UN);
    expect(await outcome(b, "flock", fb, LOCK.EX | LOCK.NB)).toBe("EAGAIN");
    third.kill();
    expect(await outcome(b, "flock", fb, LOCK.EX)).toBe(0);
  });

  test("fcntl locks are kept apart by ranges across mounts, and a wait can be interrupted", async () => {
    const [fa, fb] = await openBoth("fcntl", "x".repeat(100));
    await ok(a, "fcntl", fa, F.SETLK, range(L.WRLCK, 0, 10));
    expect(await outcome(b, "fcntl", fb, F.SETLK, range(L.RDLCK, 9, 1))).toBe("EAGAIN");
    await ok(b, "fcntl", fb, F.SETLK, range(L.WRLCK, 10, 10));
    const waiting = outcome(b, "fcntl", fb, F.SETLKW, range(L.WRLCK, 0, 5));
    expect(await stillWaits(waiting)).toBe(true);
    b.interrupt();
    expect(await waiting).toBe("EINTR");
    const again = outcome(b, "fcntl", fb, F.SETLKW, range(L.WRLCK, 0, 5));
    expect(await stillWaits(again)).toBe(true);
    await ok(a, "fcntl", fa, F.SETLK, range(L.UNLCK, 0, 5));
    expect(await again).toBe(0);
    await ok(a, "close", fa);
    expect(await outcome(b, "fcntl", fb, F.SETLK, range(L.WRLCK, 0, 0))).toBe(0);
  });

  test("a deadlock between processes on two mounts is noticed", async () => {
    const [fa, fb] = await openBoth("deadlock");
    await ok(a, "fcntl", fa, F.SETLK, range(L.WRLCK, 0, 1));
    await ok(b, "fcntl", fb, F.SETLK, range(L.WRLCK, 1, 1));
    const waiting = outcome(a, "fcntl", fa, F.SETLKW, range(L.WRLCK, 1, 1));
    expect(await stillWaits(waiting)).toBe(true);
    expect(await outcome(b, "fcntl", fb, F.SETLKW, range(L.WRLCK, 0, 1))).toBe("EDEADLK");
    await ok(b, "close", fb);
    expect(await waiting).toBe(0);
  });

  test("counters under a lock lose no increment, whichever mount they are changed on", async () => {
    const [fa, fb] = await openBoth("counter", "0".padEnd(10));
    const count = 25 * rounds;
    const increment = async (agent: Agent, fd: number): Promise<void> => {
      for (let done = 0; done < count; done++) {
        await ok(agent, "fcntl", fd, F.SETLKW, range(L.WRLCK, 0, 0));
        const { out } = await agent.call("pread", fd, { out: 10 }, 10, 0);
        const next = Number(out[0]?.toString()) + 1;
        await ok(agent, "pwrite", fd, String(next).padEnd(10), 10, 0);
        await ok(agent, "fcntl", fd, F.SETLK, range(L.UNLCK, 0, 0));
      }
    };
    await Promise.all([increment(a, fa), increment(b, fb)]);
    const { out } = await a.call("pread", fa, { out: 10 }, 10, 0);
    expect(Number(out[0]?.toString())).toBe(2 * count);
  });

  test("what one maps and syncs, and what one writes, the other sees in its mapping", async () => {
    const size = 8 * PAGE;
    const [fa, fb] = await openBoth("mapped", "x".repeat(size));
    const [ma, mb] = [await map(a, fa, size), await map(b, fb, size)];
    for (let round = 0; round < 40 * rounds; round++) {
      const [writer, fd, mine, reader, theirs] = round % 2 === 0 ? [a, fa, ma, b, mb] : [b, fb, mb, a, ma];
      const at = prng.below(size - 100);
      const bytes = Buffer.from(prng.bytes(1 + prng.below(100)));
      await reader.peek(theirs + at, bytes.length);
      if (prng.chance(0.5)) {
        await writer.poke(mine + at, bytes);
        await ok(writer, "msync", mine, size, MS.SYNC);
      } else await ok(writer, "pwrite", fd, new Uint8Array(bytes), bytes.length, at);
      expect((await reader.peek(theirs + at, bytes.length)).equals(bytes), `round ${round}`).toBe(true);
    }
  });

  async function stillWaits(call: Promise<unknown>): Promise<boolean> {
    return await Promise.race([call.then(() => false), pause(WAITING_MS).then(() => true)]);
  }

  function map(agent: Agent, fd: number, size: number): Promise<number> {
    return ok(agent, "mmap", 0, size, PROT.READ | PROT.WRITE, MAP.SHARED, fd, 0);
  }
}

async function outcome(agent: Agent, ...call: Parameters<Agent["call"]>): Promise<number | string> {
  const { value, errno } = await agent.call(...call);
  return errno ?? value;
}

async function ok(agent: Agent, ...call: Parameters<Agent["call"]>): Promise<number> {
  const { value, errno } = await agent.call(...call);
  expect(errno, String(call[0])).toBeUndefined();
  return value;
}
