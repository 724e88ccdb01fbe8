import { expect, test } from "vitest";
import { storageError } from "../../../src/base/index.js";
import { MDS_LOAD_WAIT_MS, MdsLoads } from "../../../src/mds/mds-loads.js";
import type { MdsLoad } from "../../../src/meta/index.js";
import { ManualClock, settle } from "../rpc/fake-channel.js";

class SleepingClock extends ManualClock {
  override sleep(name = "", delayMs = 0): Promise<void> {
    return new Promise((resolve) => this.after(name, delayMs, resolve));
  }
}

const LOAD: MdsLoad = {
  commitsPerSecond: 1,
  logTimePercent: 2,
  cpuPercent: 3,
  memoryBytes: 4,
  uptimeSeconds: 5,
};

function scene() {
  const clock = new SleepingClock();
  const asked: string[] = [];
  const answers = new Map<string, Promise<MdsLoad>>();
  const ask = (address: string): Promise<MdsLoad> => {
    asked.push(address);
    return answers.get(address) ?? Promise.resolve(LOAD);
  };
  return { clock, asked, answers, loads: new MdsLoads({ clock, ask }) };
}

test("what was heard is not asked for again at once", async () => {
  const { clock, asked, loads } = scene();
  expect(await loads.of(["a", "b"])).toEqual(
    new Map([
      ["a", LOAD],
      ["b", LOAD],
    ]),
  );
  await loads.of(["a", "b"]);
  expect(asked).toEqual(["a", "b"]);
  clock.advance(2500);
  await loads.of(["a"]);
  expect(asked).toEqual(["a", "b", "a"]);
});

test("a server that does not answer is waited for once, and not for long", async () => {
  const { clock, answers, loads } = scene();
  answers.set("b", new Promise(() => undefined));
  let found: ReadonlyMap<string, MdsLoad> | undefined;
  void loads.of(["a", "b"]).then((known) => {
    found = known;
  });
  await settle();
  expect(found).toBeUndefined();
  clock.advance(MDS_LOAD_WAIT_MS);
  await settle();
  expect(found).toEqual(new Map([["a", LOAD]]));
  const again = loads.of(["a", "b"]);
  clock.advance(0);
  expect(await again).toEqual(new Map([["a", LOAD]]));
});

test("numbers of a server that has gone are shown for a moment, then no more", async () => {
  const { clock, answers, loads } = scene();
  await loads.of(["a"]);
  answers.set("a", Promise.reject(storageError("unavailable")));
  clock.advance(3000);
  expect((await loads.of(["a"])).size).toBe(1);
  clock.advance(8000);
  expect((await loads.of(["a"])).size).toBe(0);
});
