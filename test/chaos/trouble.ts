import type { Prng } from "../../src/base/index.js";
import type { DiskFaults } from "../cluster/ordeal/disk/faults.js";
import type { Playground, Server } from "./playground.js";

/** The kinds of trouble; `--only` picks some. */
export const TROUBLES = ["kill", "stop", "cable", "disk", "full", "slow", "hang", "clean"] as const;
export type Trouble = (typeof TROUBLES)[number];

/** One at a time, and this long. */
const LASTS_MS = [500, 12_000] as const;
const CALM_MS = [500, 4000] as const;

/**
 * Makes trouble until it is stopped: daemons are killed, stopped and restarted, cables pulled, disks fail, fill up, get slow or
 * hang. Of chunk servers and of metadata servers at most one of each is in trouble at a time: what the cluster promises to
 * bear.
 */
export class Troublemaker {
  readonly counts = new Map<Trouble, number>();
  readonly #ground: Playground;
  readonly #prng: Prng;
  readonly #kinds: readonly Trouble[];
  readonly #say: (line: string) => void;
  #isOver = false;
  #running: Promise<void> | undefined;
  #fail: (reason: unknown) => void = () => undefined;
  /** Rejects if what was troubled does not come back. */
  readonly broken = new Promise<never>((_, reject) => {
    this.#fail = reject;
  });

  constructor(ground: Playground, prng: Prng, kinds: readonly Trouble[], say: (line: string) => void) {
    this.#ground = ground;
    this.#prng = prng;
    this.#kinds = kinds;
    this.#say = say;
  }

  start(): void {
    this.#running ??= this.#run();
    this.#running.catch(this.#fail);
    this.broken.catch(() => undefined);
  }

  /** Resolves when everything is as it should be again. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await pause(this.#prng.between(...CALM_MS));
      const kinds = this.#prng.pick([["cs"], ["cs"], ["mds"], ["cs", "mds"]]);
      await Promise.all(
        kinds.map((kind) =>
          this.#trouble(this.#prng.pick(this.#ground.servers.filter((s) => s.kind === kind))),
        ),
      );
      // What fell must be whole again before the next may fall: copies are made anew meanwhile.
      await this.#ground.healthy();
    }
  }

  async #trouble(server: Server): Promise<void> {
    const kind = this.#prng.pick(this.#kinds);
    const lastsMs = this.#prng.between(...LASTS_MS);
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.#say(`${kind} ${server.kind} on ${server.machine.address} for ${lastsMs} ms`);
    switch (kind) {
      case "kill":
        await this.#ground.signal(server, "SIGKILL");
        await pause(lastsMs);
        return this.#again(server);
      case "clean":
        await this.#ground.run(server.machine, `pstorage-${server.kind}d`, ["restart", server.repository]);
        return;
      case "stop":
        await this.#ground.signal(server, "SIGSTOP");
        await pause(lastsMs);
        return this.#ground.signal(server, "SIGCONT");
      case "cable":
        this.#ground.machines.plug(server.machine, false);
        await pause(lastsMs);
        this.#ground.machines.plug(server.machine, true);
        return;
      case "disk":
        return this.#withDisk(server, lastsMs, this.#prng.pick(BAD_DISKS));
      case "full":
        return this.#withDisk(server, lastsMs, { isFull: true });
      case "slow":
        return this.#withDisk(server, lastsMs, { delayMs: this.#prng.between(5, 300) });
      case "hang":
        return this.#withDisk(server, lastsMs, { hangs: true });
    }
  }

  /** Afterwards the disk is good, and the daemon, which may have halted, is started again. */
  async #withDisk(server: Server, lastsMs: number, faults: DiskFaults): Promise<void> {
    await server.disk.suffer(faults);
    await pause(lastsMs);
    await server.disk.suffer({});
    await this.#ground.signal(server, "SIGKILL");
    await this.#again(server);
  }

  /** Its process may take a moment to end. */
  async #again(server: Server): Promise<void> {
    while ((await this.#ground.pid(server)) !== undefined) await pause(100);
    await this.#ground.start(server);
  }
}

const BAD_DISKS: readonly DiskFaults[] = [
  { eio: { read: 1 } },
  { eio: { write: 1 } },
  { eio: { sync: 1 } },
  { eio: { read: 0.05, write: 0.05, sync: 0.1, names: 0.05 } },
  { isReadOnly: true },
];

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
