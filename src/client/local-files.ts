import { storageError } from "../base/index.js";
import type { Clock, Disk, DiskFile, Timer } from "../io/index.js";

/** The part of a disk that is needed to read files of chunk servers on this host. */
export type LocalDisk = Pick<Disk, "open">;

interface OpenedFile {
  readonly file: Promise<DiskFile>;
  readonly path: string;
  /** When it is open. */
  opened: DiskFile | undefined;
  lastUseMs: number;
  /** Reads under way, and when they began. */
  readonly reads: Set<PendingRead>;
}

interface PendingRead {
  readonly beganMs: number;
  readonly giveUp: () => void;
}

/** Files kept open at most, as far as they are not in use. */
const OPEN_COUNT_MAX = 64;
/** A file that was not read for so long is closed: if its chunk was deleted, its space is free then. */
const IDLE_MS = 5000;
/** A disk that takes longer is left to its server to deal with. */
const READ_MS = 2000;
const TICK_MS = 1000;
/** Where files could not be opened, or not be read, it is not tried again for so long. */
const AVOID_MS = 60_000;

/** Data files of chunk servers on this host, read past their servers by all files of a client. */
export class LocalFiles {
  readonly #disk: LocalDisk;
  readonly #clock: Clock;
  /** By path, least recently used first. */
  readonly #files = new Map<string, OpenedFile>();
  /** Addresses of servers whose files are not read, until when. */
  readonly #avoidedUntilMs = new Map<string, number>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(disk: LocalDisk, clock: Clock) {
    this.#disk = disk;
    this.#clock = clock;
  }

  /** Whether it is worth a try to read files of the server at that address. */
  mayTry(address: string): boolean {
    if (this.#isClosed) return false;
    if (this.#avoidedUntilMs.size === 0) return true;
    return (this.#avoidedUntilMs.get(address) ?? 0) <= this.#clock.monotonicMs();
  }

  /** Files of the server at that address cannot be read from here. */
  avoid(address: string): void {
    this.#avoidedUntilMs.set(address, this.#clock.monotonicMs() + AVOID_MS);
  }

  /** Fills the buffer, with zeros beyond the end of the file. Fails as the disk does, or with `timed_out`. */
  async read(path: string, buffer: Uint8Array, offset: number): Promise<void> {
    const opened = this.#open(path);
    const count = await this.#within(opened, async () =>
      (await opened.file).read(buffer, offset, "client.local.read"),
    );
    buffer.fill(0, count);
  }

  /** The same, if the file is open and memory can be expected to have the bytes; false: `read` is to be asked. */
  readAtOnce(path: string, buffer: Uint8Array, offset: number): boolean {
    const known = this.#files.get(path);
    const count = known?.opened?.readAtOnce(buffer, offset, "client.local.read");
    if (known === undefined || count === undefined) return false;
    known.lastUseMs = this.#clock.monotonicMs();
    buffer.fill(0, count);
    return true;
  }

  /** The path may lead to another file by now. */
  forget(path: string): void {
    const opened = this.#files.get(path);
    if (opened === undefined) return;
    this.#files.delete(path);
    closeQuietly(opened);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    for (const path of [...this.#files.keys()]) this.forget(path);
  }

  #open(path: string): OpenedFile {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#files.get(path);
    if (known !== undefined) {
      known.lastUseMs = nowMs;
      return known;
    }
    const file = this.#disk.open(path, "read", "client.local.open");
    const opened: OpenedFile = {
      file,
      path,
      opened: undefined,
      lastUseMs: nowMs,
      reads: new Set(),
    };
    file.then(
      (there) => {
        opened.opened = there;
      },
      // Whoever reads it hears why; the next one tries again.
      () => {
        if (this.#files.get(path) === opened) this.#files.delete(path);
      },
    );
    this.#files.set(path, opened);
    this.#makeRoom();
    this.#wind();
    return opened;
  }

  #within<T>(opened: OpenedFile, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const read: PendingRead = {
        beganMs: this.#clock.monotonicMs(),
        giveUp: () => reject(storageError("timed_out", `${opened.path} could not be read in time`)),
      };
      opened.reads.add(read);
      work()
        .then(resolve, reject)
        .finally(() => opened.reads.delete(read));
    });
  }

  #makeRoom(): void {
    if (this.#files.size <= OPEN_COUNT_MAX) return;
    for (const { path, reads } of this.#files.values()) {
      if (reads.size === 0) this.forget(path);
      if (this.#files.size <= OPEN_COUNT_MAX) return;
    }
  }

  /** While files are open, they are looked after. */
  #wind(): void {
    if (this.#timer !== undefined || this.#files.size === 0 || this.#isClosed) return;
    this.#timer = this.#clock.after("client.local-files", TICK_MS, () => {
      this.#timer = undefined;
      const nowMs = this.#clock.monotonicMs();
      for (const { path, lastUseMs, reads } of [...this.#files.values()]) {
        for (const { beganMs, giveUp } of reads) if (nowMs - beganMs > READ_MS) giveUp();
        if (reads.size === 0 && nowMs - lastUseMs > IDLE_MS) this.forget(path);
      }
      this.#wind();
    });
  }
}

/** A file that never opened needs no closing; one whose close fails was only read. */
function closeQuietly({ file }: OpenedFile): void {
  file.then((opened) => opened.close()).catch(() => undefined);
}
