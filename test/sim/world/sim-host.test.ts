import { describe, expect, test } from "vitest";
import { toUtf8 } from "../../../src/base/index.js";
import { type SimHost, SimWorld } from "./index.js";

const LABEL = "test";

function worldWith(name: string, seed = 1): { world: SimWorld; host: SimHost } {
  const world = new SimWorld({ seed });
  return { world, host: world.addHost(name) };
}

describe("a simulated host", () => {
  test("timers of a process that died never fire, not even after a restart", async () => {
    const { world, host } = worldWith("host");
    let fired = 0;
    host.clock.after("dead", 10, () => fired++);
    const sleeper = host.clock.sleep("dead", 10).then(() => fired++);
    host.crash();
    host.restart();
    host.clock.after("alive", 10, () => (fired += 100));
    await world.simulator.runFor(50);

    expect(fired).toBe(100);
    void sleeper;
  });

  test("calls on a dead disk never resolve and never change the medium", async () => {
    const { world, host } = worldWith("host");
    const file = await world.simulator.run(host.disk.open("/f", "create", LABEL), "open");
    const { disk } = host;
    host.crash();
    host.restart();
    let answers = 0;
    const count = (): void => void answers++;
    void file.write([toUtf8("ghost")], 0, LABEL).then(count, count);
    void disk.replaceFile("/g", toUtf8("ghost"), LABEL).then(count, count);
    void disk.openKv("/kv", LABEL).then(count, count);
    await world.simulator.runFor(1_000);

    expect(answers).toBe(0);
    expect(await world.simulator.run(host.disk.list("/", LABEL), "list")).toEqual(["f"]);
    expect(await world.simulator.run(host.disk.readFile("/f", LABEL), "read")).toHaveLength(0);
  });

  test("a paused process learns what happened when it goes on, in order and late", async () => {
    const { world, host } = worldWith("host");
    const seen: string[] = [];
    host.clock.after("a", 10, () => seen.push(`a at ${host.clock.monotonicMs()}`));
    void host.disk.makeDirectory("/d", LABEL).then(() => seen.push("made"));
    host.pause();
    await world.simulator.runFor(100);
    expect(seen).toEqual([]);
    host.resume();
    host.clock.after("b", 0, () => seen.push("b"));
    await world.simulator.runFor(1);

    expect(seen).toEqual(["made", "a at 100", "b"]);
  });

  test("monotonic time starts anew with every life; wall time goes on and may jump", async () => {
    const { world, host } = worldWith("host");
    await world.simulator.runFor(500);
    const wallMs = host.clock.wallMs();
    host.crash();
    host.restart();
    expect(host.clock.monotonicMs()).toBe(0);
    expect(host.clock.wallMs()).toBe(wallMs);
    host.clockFaults.wallSkewMs = -60_000;

    expect(host.clock.wallMs()).toBe(wallMs - 60_000);
    expect(host.clock.monotonicMs()).toBe(0);
  });

  test("a clock that runs fast counts more and fires sooner, but never before its own time", async () => {
    const { world, host } = worldWith("host");
    host.clockFaults.rate = 1.1;
    host.crash();
    host.restart();
    const { clock } = host;
    const firedAt: [number, number][] = [];
    clock.after("fast", 1_100, () => firedAt.push([clock.monotonicMs(), world.simulator.nowMs]));
    await world.simulator.runFor(2_000);
    const [[own, real] = [0, 0]] = firedAt;

    expect(own).toBeGreaterThanOrEqual(1_100);
    expect(real).toBeLessThan(1_001);
    expect(clock.monotonicMs()).toBeCloseTo(2_200);
  });

  test("the boot id changes with a loss of power and not with a crash", async () => {
    const { host } = worldWith("host");
    const before = host.disk.bootId();
    host.crash();
    host.restart();
    expect(host.disk.bootId()).toBe(before);
    host.powerLoss();
    host.restart();

    expect(host.disk.bootId()).not.toBe(before);
  });

  test("each life draws other random numbers", () => {
    const { host } = worldWith("host");
    const before = host.random.uint32();
    host.crash();
    host.restart();

    expect(host.random.uint32()).not.toBe(before);
  });

  test("tells its owner once when the process dies, also when a disk fault kills it", async () => {
    const { world, host } = worldWith("host");
    let deaths = 0;
    host.onDeath(() => deaths++);
    host.diskFaults.add({ label: "deadly", effect: "crash" });
    void host.disk.makeDirectory("/d", "deadly");
    await world.simulator.runFor(10);
    host.powerLoss();

    expect(deaths).toBe(1);
    expect(host.isAlive).toBe(false);
  });
});
