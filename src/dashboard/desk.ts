import { failureOf, storageError, toHex } from "../base/index.js";
import type { Admin, FileSystem } from "../client/index.js";
import type { Clock, Random } from "../io/index.js";
import type { Logger } from "../telemetry/index.js";
import type { Action } from "./core/action.js";
import { SignIns } from "./core/sign-ins.js";

/** What actions are carried out with. */
export interface DeskWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly admin: Pick<Admin, "beginScrub" | "removeChunkServer" | "setConfig">;
  readonly fileSystem: Pick<FileSystem, "revoke">;
  /** False if it is not the password of the cluster. */
  readonly checkPassword: (password: string) => Promise<boolean>;
}

const TOKEN_BYTES = 32;
/** Between two passwords, whoever tries them. */
const WRONG_MS = 1000;

/** Lets in who knows the password of the cluster, and does what those who were let in ask for. */
export class Desk {
  readonly #world: DeskWorld;
  readonly #signIns = new SignIns();
  #isChecking = false;

  constructor(world: DeskWorld) {
    this.#world = world;
  }

  /** A token for whoever gave it. Throws `unauthenticated` if it is wrong, `busy` while another one is checked. */
  async signIn(password: string, from: string): Promise<string> {
    const { clock, random, log, checkPassword } = this.#world;
    if (this.#isChecking) throw storageError("busy", "another password is being checked; try again");
    this.#isChecking = true;
    try {
      if (!(await checkPassword(password))) {
        log.warn("wrong password at the dashboard", { from });
        await clock.sleep("dashboard.wrong", WRONG_MS);
        throw storageError("unauthenticated", "this is not the password of the cluster");
      }
    } finally {
      this.#isChecking = false;
    }
    const token = toHex(random.bytes(TOKEN_BYTES));
    this.#signIns.add(token, clock.monotonicMs());
    log.info("signed in at the dashboard", { from });
    return token;
  }

  signOut(token: string): void {
    this.#signIns.remove(token);
  }

  mayAct(token: string): boolean {
    return this.#signIns.use(token, this.#world.clock.monotonicMs());
  }

  /** What came of it, in a sentence. */
  async act(action: Action, from: string): Promise<string> {
    try {
      const said = await this.#carryOut(action);
      this.#world.log.info("dashboard action", { from, action, said });
      return said;
    } catch (error) {
      const reason = failureOf(error)?.detail;
      this.#world.log.warn("dashboard action failed", { from, action, reason });
      throw error;
    }
  }

  async #carryOut(action: Action): Promise<string> {
    const { admin, fileSystem } = this.#world;
    switch (action.type) {
      case "scrub": {
        const { csIds, silentCsIds } = await admin.beginScrub({ csId: action.csId });
        const silent = silentCsIds.map((id) => `CS#${id}`).join(", ");
        return `${csIds.length} chunk servers read everything again${silent === "" ? "" : `; no answer from ${silent}`}`;
      }
      case "release": {
        const { csId } = action;
        const removal = await admin.removeChunkServer({ csId, force: false, cancel: false });
        return removal.isDropped
          ? `CS#${csId} is gone`
          : `CS#${csId} is being emptied; ${removal.remainingCount} chunks to go`;
      }
      case "keep":
        await admin.removeChunkServer({ csId: action.csId, force: false, cancel: true });
        return `CS#${action.csId} stays`;
      case "set-config": {
        const { name, value } = await admin.setConfig({ name: action.name, value: action.value });
        return `${name}=${value}`;
      }
      case "revoke":
        await fileSystem.revoke(action.path);
        return `${action.path} is free`;
    }
  }
}
