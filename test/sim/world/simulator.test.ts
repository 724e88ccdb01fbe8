import { describe, expect, test } from "vitest";
import { Simulator, SimWorld } from "./index.js";

/** A little of everything: disk, network, timers and chance on three hosts, with a crash. Gives the trace. */
async function tracedRun(seed: number): Promise<string[]> {
  const lines: string[] = [];
  const world = new SimWorld({ seed, trace: (line) => lines.push(line) });
  const hosts = ["a", "b", "c"].map((name) => world.addHost(name));
  for (const host of hosts) {
    const serve = async (): Promise<void> => {
      await host.disk.makeDirectory("/data", "test");
      const file = await host.disk.open("/data/log", "create", "test");
      await host.net.listen(`${host.ip}:7`, (connection) => {
        let offset = 0;
        connection.onClose(() => undefined);
        connection.onData((bytes) => {
          const at = offset;
          offset += bytes.length;
          void file.write([bytes], at, "test").then(() => connection.write([bytes]));
        });
      });
    };
    void serve();
  }
  await world.simulator.runFor(20);
  const [first, second] = hosts;
  for (const host of hosts.slice(1)) {
    const connection = await world.simulator.run(
      host.net.connect(`${first?.ip}:7`, { timeoutMs: 100 }),
      "connect",
    );
    connection.onData(() => undefined);
    connection.onClose(() => lines.push(`${host.name} sees the end`));
    for (let i = 0; i < 20; i++) connection.write([host.random.bytes(10 + (host.random.uint32() % 5_000))]);
  }
  await world.simulator.runFor(1);
  first?.crash();
  await world.simulator.runFor(500);
  lines.push(`${second?.clock.monotonicMs()} ${world.simulator.eventCount}`);
  return lines;
}

describe("the simulator", () => {
  test("repeats a run event by event from its seed", async () => {
    const [once, again] = [await tracedRun(42), await tracedRun(42)];

    expect(once.length).toBeGreaterThan(100);
    expect(again).toEqual(once);
  });

  test("gives another run for another seed", async () => {
    expect(await tracedRun(1)).not.toEqual(await tracedRun(2));
  });

  test("lets every microtask of an event run before the next event", async () => {
    const simulator = new Simulator({ seed: 1 });
    const order: string[] = [];
    const deep = async (): Promise<void> => {
      for (let i = 0; i < 500; i++) await Promise.resolve();
      await new Promise<void>((resolve) => process.nextTick(resolve));
      order.push("the end of a long chain");
    };
    simulator.schedule("node", "first", 1, () => void deep());
    simulator.schedule("node", "second", 1, () => order.push("second"));
    await simulator.runFor(2);

    expect(order).toEqual(["the end of a long chain", "second"]);
  });

  test("fires events by time, and at equal times in the order of scheduling", async () => {
    const simulator = new Simulator({ seed: 1 });
    const order: number[] = [];
    const delays = [5, 1, 3, 1, 5, 0, 2, 3, 1];
    for (const [index, delay] of delays.entries()) {
      simulator.schedule("node", "event", delay, () => order.push(index));
    }
    await simulator.runFor(10);

    expect(order).toEqual([5, 1, 3, 8, 6, 2, 7, 0, 4]);
    expect(simulator.nowMs).toBe(10);
  });

  test("reports a stall: nothing left to do while something is awaited", async () => {
    const simulator = new Simulator({ seed: 7 });
    const never = new Promise<void>(() => undefined);

    await expect(simulator.run(never, "godot")).rejects.toThrow(
      "seed 7 at 0.000 ms: nothing is left to do, still waiting for godot",
    );
  });

  test("gives up waiting after a span of virtual time", async () => {
    const world = new SimWorld({ seed: 1 });
    const { clock } = world.addHost("host");
    const beat = (): void => void clock.after("beat", 100, beat);
    beat();

    await expect(
      world.simulator.runUntil(() => false, "the impossible", { timeoutMs: 1_000 }),
    ).rejects.toThrow("1000 ms of virtual time have passed");
  });

  test("throws what an event throws, and can go on", async () => {
    const simulator = new Simulator({ seed: 1 });
    let later = false;
    simulator.schedule("node", "bug", 1, () => {
      throw new Error("a bug");
    });
    simulator.schedule("node", "later", 2, () => {
      later = true;
    });

    await expect(simulator.runFor(5)).rejects.toThrow("a bug");
    await simulator.runFor(5);
    expect(later).toBe(true);
  });

  test("stops a run with too many events", async () => {
    const simulator = new Simulator({ seed: 1, eventCountMax: 100 });
    const again = (): void => void simulator.schedule("node", "busy", 0, again);
    again();

    await expect(simulator.runFor(1)).rejects.toThrow("more than 100 events");
  });

  test("writes one line per event: time, node, what", async () => {
    const lines: string[] = [];
    const simulator = new Simulator({ seed: 1, trace: (line) => lines.push(line) });
    simulator.schedule("mds1", "timer raft.tick", 12.5, () => undefined);
    await simulator.runFor(20);

    expect(lines).toEqual(["      12.500 mds1       timer raft.tick"]);
  });
});
