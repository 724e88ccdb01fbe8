import { failureOf } from "../base/index.js";
import type { Timer } from "../io/index.js";
import type {
  Access,
  Attributes,
  Create,
  InodeNumber,
  MetadataPush,
  MetadataReply,
  Opened,
  RecallLease,
} from "../meta/index.js";
import { UntoldBytes } from "./core/inline-image.js";
import { NewestAttributes } from "./core/newest-attributes.js";
import { SyncTracker } from "./core/sync-tracker.js";
import type { FileContentWorld } from "./file-content.js";
import { FileReports } from "./file-reports.js";
import { OpenFile } from "./open-file.js";
import { bodyOf } from "./replies.js";
import type { Session, SessionEvents } from "./session.js";

/** Inodes whose unsynced chunks are remembered after their last handle was closed. */
const REMEMBERED_MAX = 4096;

/** A file that was opened, and how it was found. */
export interface OpenedFile {
  readonly file: OpenFile;
  readonly attributes: Attributes;
  readonly created: boolean;
  /** As what its handle is counted, which `close` is to be told. */
  readonly countedAs: Access;
}

/** A file whose last handle was closed stays open for so long: programs often come back. */
const LINGER_MS = 3000;
/** So many files at most. */
const LINGER_COUNT_MAX = 2000;

/** Every file the session has open, one `OpenFile` for each inode; hears what the MDS says about them. */
export class OpenFiles implements SessionEvents {
  /** Whether handles are buffered unless they are opened otherwise. */
  readonly isBuffered: boolean;
  readonly #world: FileContentWorld;
  readonly #session: () => Session;
  readonly #reports: FileReports;
  readonly #untold = new UntoldBytes();
  readonly #files = new Map<InodeNumber, OpenFile>();
  /** A later open of the file must still be able to make its earlier writes safe. The oldest first. */
  readonly #syncs = new Map<InodeNumber, SyncTracker>();
  readonly #reported = new NewestAttributes();
  /** Files without handles that are still open, and until when; the oldest first. */
  readonly #lingering = new Map<OpenFile, number>();
  /** Files that lingered long enough and have something to say yet: one that cannot holds up no other. */
  readonly #settling = new Set<OpenFile>();
  #lingerTimer: Timer | undefined;
  /** Opens under way, and recalls of leases that may be theirs. */
  #openingCount = 0;
  readonly #earlyRecalls = new Map<InodeNumber, RecallLease>();

  constructor(world: FileContentWorld, session: () => Session, isBuffered = false) {
    this.#world = world;
    this.#session = session;
    this.#reports = new FileReports(world.clock, session);
    this.isBuffered = isBuffered;
  }

  /** The file as it is open here, if it is. */
  get(ino: InodeNumber): OpenFile | undefined {
    const file = this.#files.get(ino);
    return file !== undefined && (file.handleCount > 0 || this.#isLeft(file)) ? file : undefined;
  }

  /** One more handle of a file that is open, or was until a moment ago, if the MDS need not be asked for it. */
  reopen(ino: InodeNumber, access: Access): { file: OpenFile; countedAs: Access } | undefined {
    const file = this.get(ino);
    const countedAs = file?.reusable(access);
    if (file === undefined || countedAs === undefined) return undefined;
    file.reused(countedAs);
    this.#lingering.delete(file);
    return { file, countedAs };
  }

  /** Ends one handle, and does not wait: what is buffered goes on its way, the file stays open for a moment. */
  release(file: OpenFile, access: Access): void {
    file.released(access);
    if (file.handleCount > 0 || this.#files.get(file.ino) !== file) return;
    this.#lingering.set(file, this.#world.clock.monotonicMs() + LINGER_MS);
    if (this.#lingering.size > LINGER_COUNT_MAX) this.#endOldest();
    this.#wind();
  }

  open(ino: InodeNumber, access: Access, signal?: AbortSignal): Promise<OpenedFile> {
    return this.#opening(access, (onLateReply) =>
      this.#session().mutate((id) => ({ type: "open", body: { id, ino, access } }), {
        signal,
        urgency: "patient",
        repeat: "new-session",
        onLateReply,
      }),
    );
  }

  /** Opens files that no handle needs yet, as far as that costs nobody anything: they linger. */
  async openAhead(inos: readonly InodeNumber[]): Promise<void> {
    if (!this.#session().level.has("openAhead")) return;
    this.#openingCount++;
    try {
      const files = inos.map((ino) => ({ ino }));
      const reply = await this.#session().mutate((id) => ({ type: "openAhead", body: { id, files } }), {
        isBound: true,
        urgency: "patient",
      });
      for (const opened of bodyOf(reply, "openedAhead").files)
        this.release(this.#adopt(opened, "read").file, "read");
    } catch (error) {
      // Whoever opens one of them hears of it.
      if (failureOf(error) === undefined) throw error;
    } finally {
      this.#openingEnded();
    }
  }

  create(body: Omit<Create, "id" | "open">, access: Access, signal?: AbortSignal): Promise<OpenedFile> {
    return this.#opening(access, (onLateReply) =>
      this.#session().mutate((id) => ({ type: "create", body: { id, open: access, ...body } }), {
        signal,
        urgency: "patient",
        onLateReply,
      }),
    );
  }

  /** What `create` would resolve with at once, if it is certain that it can be made; else undefined, and nothing was done. */
  createAtOnce(body: Omit<Create, "id" | "open">, access: Access): OpenedFile | undefined {
    const reply = this.#session().mutateAtOnce((id) => ({
      type: "create",
      body: { id, open: access, ...body },
    }));
    return reply && this.#adopt(bodyOf(reply, "opened"), access);
  }

  /** Ends one handle of the file. */
  async close(file: OpenFile, access: Access): Promise<void> {
    try {
      await file.closed(access);
    } finally {
      // Another handle may have been opened and released meanwhile: then the file lingers with what that one left unsaid.
      if (file.handleCount === 0 && !this.#isLeft(file)) this.#forget(file);
    }
  }

  /** What the MDS says of an inode, with what only this client knows yet. */
  withLocalChanges(attributes: Attributes): Attributes {
    const newest = this.#reported.newest(attributes);
    return this.get(attributes.ino)?.withLocalChanges(newest) ?? newest;
  }

  /** Reports what only this client knows. */
  async flushAll(): Promise<void> {
    await Promise.all([...this.#files.values()].map((file) => file.flush()));
  }

  /** The cluster is closed: no timer may be left. */
  dispose(): void {
    this.#lingerTimer?.cancel();
    this.#reports.dispose();
    this.#lingering.clear();
    this.#settling.clear();
    for (const file of this.#files.values()) file.dispose();
    this.#files.clear();
  }

  onPush(push: MetadataPush): void {
    switch (push.type) {
      case "recallLease":
        this.#recall(push.body);
        return;
      case "chunkMapChanged":
        // What is being read by an older map is thrown away when it arrives, so that none is in use from here on.
        this.#files.get(push.body.ino)?.chunks.cache.announce(push.body.chunkId, push.body.version);
        this.#session().sendMapDropped(push.body.chunkId, push.body.version);
        return;
      case "sessionEnded":
      case "mdsServers":
      case "invalidate":
        // Others see to it.
        return;
    }
  }

  onResumed(): void {
    for (const file of this.#files.values()) file.chunks.cache.forgetAll();
  }

  onLost(): void {
    for (const file of [...this.#files.values()]) file.sessionLost();
  }

  #recall(body: RecallLease): void {
    const file = this.#files.get(body.ino);
    if (file !== undefined) file.lease.recall(body, file.handleCount === 0 && this.#isLeft(file));
    else if (this.#openingCount > 0) this.#earlyRecalls.set(body.ino, body);
    else this.#world.log.debug("a lease was recalled that is not held", { ino: body.ino });
  }

  async #opening(
    access: Access,
    ask: (onLateReply: (reply: MetadataReply) => void) => Promise<MetadataReply>,
  ): Promise<OpenedFile> {
    this.#openingCount++;
    try {
      const reply = await ask((late) => this.#closeLate(late, access));
      return this.#adopt(bodyOf(reply, "opened"), access);
    } finally {
      this.#openingEnded();
    }
  }

  #openingEnded(): void {
    this.#openingCount--;
    if (this.#openingCount === 0) this.#earlyRecalls.clear();
  }

  #adopt(opened: Opened, access: Access): OpenedFile {
    const { attributes: told, created } = opened;
    const attributes = this.#reported.newest(told);
    const { ino } = attributes;
    let file = this.#files.get(ino);
    if (file === undefined) {
      file = new OpenFile(
        {
          session: this.#session(),
          reports: this.#reports,
          untold: this.#untold,
          onLost: (lost) => this.#forget(lost),
          onReported: (reported) => this.#reported.told(reported),
          ...this.#world,
        },
        attributes,
        this.#syncsOf(ino),
      );
      this.#files.set(ino, file);
    }
    file.opened(access, { ...opened, attributes });
    const early = this.#earlyRecalls.get(ino);
    if (early !== undefined) {
      this.#earlyRecalls.delete(ino);
      file.lease.recall(early);
    }
    this.#lingering.delete(file);
    return { file, attributes: file.withLocalChanges(attributes), created, countedAs: access };
  }

  /** Whoever wanted it open gave up before the answer came. */
  #closeLate(reply: MetadataReply, access: Access): void {
    const { file } = this.#adopt(bodyOf(reply, "opened"), access);
    this.close(file, access).catch((error) => {
      if (failureOf(error) === undefined) throw error;
    });
  }

  /** Looks after the files that linger, as long as there are some. */
  #wind(): void {
    if (this.#lingerTimer !== undefined || this.#lingering.size === 0) return;
    this.#lingerTimer = this.#world.clock.after("client.linger", LINGER_MS / 4, () => {
      this.#lingerTimer = undefined;
      const nowMs = this.#world.clock.monotonicMs();
      for (const [file, untilMs] of this.#lingering) {
        if (untilMs > nowMs) break;
        this.#endLingering(file);
      }
      this.#wind();
    });
  }

  /** No handle needs the file, but the MDS does not know yet that it is closed. */
  #isLeft(file: OpenFile): boolean {
    return this.#lingering.has(file) || this.#settling.has(file);
  }

  /** Several at once, so that they are settled together. */
  #endOldest(): void {
    for (const file of [...this.#lingering.keys()].slice(0, LINGER_COUNT_MAX / 8)) this.#endLingering(file);
  }

  #endLingering(file: OpenFile): void {
    this.#lingering.delete(file);
    // It was opened and left again while it was settling: that goes on for both times.
    if (this.#settling.has(file)) return;
    this.#settling.add(file);
    void this.#settle(file);
  }

  async #settle(file: OpenFile): Promise<void> {
    try {
      await file.settle();
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === undefined) throw error;
      if (code !== "closed")
        this.#world.log.warn("a file was closed with something unsaid", { ino: file.ino, code });
    }
    this.#settling.delete(file);
    if (file.handleCount > 0 || this.#lingering.has(file)) return;
    this.#forget(file);
  }

  /** Handles that are still open go on failing; the next open of the inode begins anew. */
  #forget(file: OpenFile): void {
    file.dispose();
    if (this.#files.get(file.ino) === file) this.#files.delete(file.ino);
  }

  #syncsOf(ino: InodeNumber): SyncTracker {
    const known = this.#syncs.get(ino);
    if (known !== undefined) return known;
    if (this.#syncs.size >= REMEMBERED_MAX) this.#forgetSyncs();
    const syncs = new SyncTracker();
    this.#syncs.set(ino, syncs);
    return syncs;
  }

  /** Of files that are closed: first what has nothing to tell, else what was opened longest ago. */
  #forgetSyncs(): void {
    for (const [ino, syncs] of this.#syncs) {
      if (syncs.isClean && !this.#files.has(ino)) this.#syncs.delete(ino);
    }
    if (this.#syncs.size < REMEMBERED_MAX) return;
    for (const ino of this.#syncs.keys()) {
      if (this.#files.has(ino)) continue;
      this.#syncs.delete(ino);
      return;
    }
  }
}
