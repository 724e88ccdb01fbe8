import { failureOf } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { Access, Attributes, InodeNumber, Opened } from "../meta/index.js";
import type { Logger } from "../telemetry/index.js";
import type { FileLease } from "./file-lease.js";
import { bodyOf } from "./replies.js";
import type { Session } from "./session.js";

export interface FileOpensWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly session: Session;
}

/** What this client knows of the contents, and nobody else. */
export interface Unsaid {
  readonly isEmpty: () => boolean;
  /** Tells it. */
  readonly say: () => Promise<void>;
}

/** A file that is shared is opened once more now and then: perhaps the others have gone. */
const LIFT_MS = 10_000;

const ACCESSES = ["read", "write", "exclusive"] as const;

/** What the opens need of their file. */
export interface OpensOwner {
  readonly unsaid: Unsaid;
  /** What the MDS says when it knows that this session may not write any more. */
  readonly writingEnded: (attributes: Attributes) => void;
  /** A lease came with an open that was made for it. */
  readonly granted: (opened: Pick<Opened, "lease" | "attributes" | "inline">) => void;
}

/** Opens that no handle needs. */
export interface Surplus {
  readonly closes: readonly Access[];
  readonly epoch: number;
}

/** How often one inode is open, here and for all the MDS knows. */
export class FileOpens {
  readonly #world: FileOpensWorld;
  readonly #ino: InodeNumber;
  readonly #lease: FileLease;
  readonly #unsaid: Unsaid;
  readonly #writingEnded: (attributes: Attributes) => void;
  readonly #granted: (opened: Pick<Opened, "lease" | "attributes" | "inline">) => void;
  /** Handles here. */
  readonly #handles: Record<Access, number> = { read: 0, write: 0, exclusive: 0 };
  /** Opens of this session that the MDS knows of. */
  readonly #opens: Record<Access, number> = { read: 0, write: 0, exclusive: 0 };
  #liftedMs: number;
  /** Grows when all opens are gone at once. */
  #epoch = 0;

  constructor(
    world: FileOpensWorld,
    ino: InodeNumber,
    lease: FileLease,
    { unsaid, writingEnded, granted }: OpensOwner,
  ) {
    this.#granted = granted;
    this.#world = world;
    this.#unsaid = unsaid;
    this.#writingEnded = writingEnded;
    this.#ino = ino;
    this.#lease = lease;
    this.#liftedMs = world.clock.monotonicMs();
  }

  get handleCount(): number {
    return this.#handles.read + this.#handles.write + this.#handles.exclusive;
  }

  /** Some handle may write. */
  get isWriter(): boolean {
    return this.#handles.write + this.#handles.exclusive > 0;
  }

  /** A handle was opened: the MDS said so. */
  opened(access: Access): void {
    this.#handles[access]++;
    this.#opens[access]++;
  }

  /** A handle is closed; resolves when the MDS knows. */
  async closed(access: Access): Promise<void> {
    this.released(access);
    await this.settle();
  }

  /** A handle is closed; the MDS is not told before `settle`. */
  released(access: Access): void {
    this.#handles[access]--;
  }

  /** Closes at the MDS what no handle needs. */
  async settle(): Promise<void> {
    await Promise.all(ACCESSES.map((access) => this.#balance(access)));
  }

  /** What no handle needs is about to be closed at the MDS by somebody else: `ended` or `remain` says how that went. */
  takeSurplus(): Surplus {
    const closes: Access[] = [];
    for (const access of ACCESSES) {
      for (; this.#opens[access] > this.#handles[access]; this.#opens[access]--) closes.push(access);
    }
    return { closes, epoch: this.#epoch };
  }

  /** They are closed; the MDS said so with these attributes, if the file is still there. */
  ended({ closes }: Surplus, attributes: Attributes | undefined): void {
    const endedWriting = closes.some((access) => access !== "read");
    const isWriter = this.#opens.write + this.#opens.exclusive > 0;
    if (endedWriting && !isWriter && attributes !== undefined) this.#writingEnded(attributes);
  }

  /** They are as open as they were. */
  remain({ closes, epoch }: Surplus): void {
    if (epoch === this.#epoch) for (const access of closes) this.#opens[access]++;
  }

  /** As what another handle may be counted without a word to the MDS, which knows of such an open. */
  reusable(access: Access): Access | undefined {
    if (access === "exclusive") return undefined;
    const asWriter = this.#opens.write > 0 && this.#lease.kind === "exclusive";
    if (access === "write" || this.#opens.read === 0) return asWriter ? "write" : undefined;
    return this.#lease.kind === "read" || this.#lease.kind === "exclusive" ? "read" : undefined;
  }

  reused(access: Access): void {
    this.#handles[access]++;
  }

  /** A new session began: the MDS knows nothing of these opens. */
  sessionLost(): void {
    this.#epoch++;
    this.#opens.read = 0;
    this.#opens.write = 0;
    this.#opens.exclusive = 0;
  }

  /** The MDS grants leases with opens only: one more, which is closed at once if no handle needs it. */
  async openOnceMore(): Promise<void> {
    const reply = await this.#world.session.mutate(
      (id) => ({ type: "open", body: { id, ino: this.#ino, access: "read" } }),
      { urgency: "patient", repeat: "new-session" },
    );
    const opened = bodyOf(reply, "opened");
    this.#liftedMs = this.#world.clock.monotonicMs();
    this.#opens.read++;
    this.#granted(opened);
    await this.#balance("read");
  }

  /** Asks for a better lease if that was not done for some time. */
  liftSometimes(): void {
    if (this.#world.clock.monotonicMs() - this.#liftedMs < LIFT_MS) return;
    this.#liftedMs = this.#world.clock.monotonicMs();
    this.#lease.lift().catch((error) => {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      if (failure.code === "closed") return;
      this.#world.log.warn("a shared lease could not be lifted", { ino: this.#ino, code: failure.code });
    });
  }

  /**
   * Closes at the MDS what no handle needs. The last writer's lease goes with it: what only this client knows is said before, whoever
   * wrote it and left it unsaid; if that fails it is lost, and the file is closed all the same.
   */
  async #balance(access: Access): Promise<void> {
    let lost: unknown;
    while (this.#opens[access] > this.#handles[access]) {
      if (access !== "read" && !this.isWriter && lost === undefined && !this.#unsaid.isEmpty()) {
        await this.#unsaid.say().catch((error) => {
          lost = error;
        });
        continue;
      }
      this.#opens[access]--;
      try {
        const reply = await this.#world.session.mutate(
          (id) => ({ type: "close", body: { id, ino: this.#ino, access } }),
          { isBound: true },
        );
        if (reply.type === "entry") this.#writingEnded(reply.body.attributes);
      } catch (error) {
        const code = failureOf(error)?.code;
        // Whoever ended the session or the lease has closed it too.
        if (code !== "session_lost" && code !== "lease_lost" && code !== "closed") throw error;
      }
    }
    if (lost !== undefined) throw lost;
  }
}
