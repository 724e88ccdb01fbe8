import { spawnSync } from "node:child_process";
import { chmod, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Agent, type Identity } from "./agent.js";
import { KNOWN_DIFFERENCES } from "./known-differences.js";
import { Scene } from "./scene.js";
import { differencesOf, Transcript } from "./transcript.js";

/** A directory on the file system that cases run on. */
export interface Place {
  readonly name: "reference" | "mount";
  readonly path: string;
}

export type Body = (scene: Scene) => Promise<void>;

/** Who takes part. The numbers belong to nobody. */
export const PEOPLE = {
  root: { uid: 0, gid: 0, groups: [0] },
  /** Another process of root's. */
  twin: { uid: 0, gid: 0, groups: [0] },
  ann: { uid: 60001, gid: 60001, groups: [60001, 60100] },
  /** In ann's supplementary group. */
  bob: { uid: 60002, gid: 60002, groups: [60002, 60100] },
  /** In no group with anybody. */
  eve: { uid: 60003, gid: 60003, groups: [60003] },
} as const satisfies Readonly<Record<string, Identity>>;
export type Person = keyof typeof PEOPLE;

/** The agents and the places; one for all cases of a test file. */
export class Stage {
  readonly places: readonly Place[];
  readonly #agents = new Map<Person, Agent>();
  #caseCount = 0;

  constructor(places: readonly Place[]) {
    this.places = places;
  }

  /** Runs a case everywhere; fails where it is not as it says, or not as on the reference. */
  async run(title: string, body: Body): Promise<void> {
    const number = ++this.#caseCount;
    let reference: Transcript | undefined;
    for (const place of this.places) {
      const transcript = await this.#runAt(place, number, body);
      const differences = reference === undefined ? [] : differencesOf(reference.lines, transcript.lines);
      const found = [...transcript.offences, ...differences]
        .filter((line) => place.name === "reference" || !isKnown(title, line.call, line.outcome))
        .map(({ call, outcome, wanted }) => `${call} = ${outcome}, not ${wanted}`);
      expect(found.length, `on the ${place.name}:\n  ${[...new Set(found)].join("\n  ")}\n`).toBe(0);
      reference ??= transcript;
    }
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.values()) agent.kill();
    this.#agents.clear();
  }

  async #runAt(place: Place, number: number, body: Body): Promise<Transcript> {
    const path = join(place.path, `case-${number}`);
    await mkdir(path);
    await chmod(path, 0o777);
    const transcript = new Transcript();
    const scene = new Scene(path, transcript, (person) => this.#agent(person));
    try {
      await body(scene);
    } catch (error) {
      transcript.expect(`the case ends: ${(error as Error).message.split("\n")[0]}`, false, true);
    } finally {
      await scene.close();
      await this.#leave();
      await removeTree(path);
    }
    return transcript;
  }

  /** Agents that do not answer (a case left a call waiting) are replaced. */
  async #leave(): Promise<void> {
    for (const [person, agent] of this.#agents) {
      const isBack = await Promise.race([
        agent.reset().then(
          () => true,
          () => false,
        ),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 5000).unref()),
      ]);
      if (isBack) continue;
      agent.kill();
      this.#agents.delete(person);
    }
  }

  #agent(person: Person): Agent {
    const present = this.#agents.get(person);
    if (present !== undefined) return present;
    const agent = new Agent(PEOPLE[person]);
    this.#agents.set(person, agent);
    return agent;
  }
}

let stage: Stage | undefined;

/** Sets the stage for the cases of this file; undefined when they are over. */
export function setStage(next: Stage | undefined): void {
  stage = next;
}

/** A case: a test whose title states a truth of POSIX or Linux, run on every place of the stage. */
export function posix(title: string, body: Body): void {
  test(title, async () => {
    if (stage === undefined) throw new Error("no stage was set");
    await stage.run(title, body);
  });
}

function isKnown(title: string, call: string, outcome: string): boolean {
  return KNOWN_DIFFERENCES.some(
    (known) =>
      known.title === title &&
      call.startsWith(known.call) &&
      (known.mount === undefined || known.mount === outcome),
  );
}

/** Also paths that are too long for a path, which rm(1) can remove and Node cannot. */
async function removeTree(path: string): Promise<void> {
  const { status } = spawnSync("rm", ["-rf", path], { stdio: "ignore" });
  if (status !== 0) await rm(path, { recursive: true, force: true });
}
