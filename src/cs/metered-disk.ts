import { type FailureCode, failureOf } from "../base/index.js";
import type { Disk, DiskFile, DiskSpace, Kv, KvChange, KvEntry, KvRange } from "../io/index.js";
import type { BusyTime } from "../telemetry/index.js";

/**
 * A disk that tells for how long its files have had something to do, and that the store of records could not be written, which
 * takes nothing more then. The time of that small store is not counted.
 */
export class MeteredDisk implements Disk {
  readonly #disk: Disk;
  readonly #busy: BusyTime;
  readonly #recordsFailed: (code: FailureCode) => void;

  constructor(disk: Disk, busy: BusyTime, recordsFailed: (code: FailureCode) => void) {
    this.#disk = disk;
    this.#busy = busy;
    this.#recordsFailed = recordsFailed;
  }

  async open(path: string, mode: "read" | "read-write" | "create", label: string): Promise<DiskFile> {
    return new MeteredFile(await this.#disk.open(path, mode, label), this.#busy);
  }

  readFile(path: string, label: string): Promise<Uint8Array> {
    return this.#busy.during(() => this.#disk.readFile(path, label));
  }

  replaceFile(path: string, bytes: Uint8Array, label: string, mode?: number): Promise<void> {
    return this.#busy.during(() => this.#disk.replaceFile(path, bytes, label, mode));
  }

  makeDirectory(path: string, label: string, mode?: number): Promise<void> {
    return this.#disk.makeDirectory(path, label, mode);
  }

  list(path: string, label: string): Promise<string[]> {
    return this.#disk.list(path, label);
  }

  remove(path: string, label: string): Promise<void> {
    return this.#disk.remove(path, label);
  }

  rename(from: string, to: string, label: string): Promise<void> {
    return this.#disk.rename(from, to, label);
  }

  syncDirectory(path: string, label: string): Promise<void> {
    return this.#busy.during(() => this.#disk.syncDirectory(path, label));
  }

  space(path: string, label: string): Promise<DiskSpace> {
    return this.#disk.space(path, label);
  }

  async openKv(path: string, label: string): Promise<Kv> {
    return new WatchedKv(await this.#disk.openKv(path, label), this.#recordsFailed);
  }

  bootId(): string {
    return this.#disk.bootId();
  }
}

class WatchedKv implements Kv {
  readonly #kv: Kv;
  readonly #failed: (code: FailureCode) => void;

  constructor(kv: Kv, failed: (code: FailureCode) => void) {
    this.#kv = kv;
    this.#failed = failed;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#kv.get(key);
  }

  async batch(
    changes: readonly KvChange[],
    options: { readonly sync: boolean; readonly label: string },
  ): Promise<void> {
    try {
      await this.#kv.batch(changes, options);
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code !== undefined && code !== "closed") this.#failed(code);
      throw error;
    }
  }

  range(range: KvRange): AsyncIterable<KvEntry> {
    return this.#kv.range(range);
  }

  close(): Promise<void> {
    return this.#kv.close();
  }
}

class MeteredFile implements DiskFile {
  readonly #file: DiskFile;
  readonly #busy: BusyTime;

  constructor(file: DiskFile, busy: BusyTime) {
    this.#file = file;
    this.#busy = busy;
  }

  read(buffer: Uint8Array, offset: number, label: string): Promise<number> {
    return this.#busy.during(() => this.#file.read(buffer, offset, label));
  }

  readAtOnce(buffer: Uint8Array, offset: number, label: string): number | undefined {
    return this.#file.readAtOnce(buffer, offset, label);
  }

  write(buffers: readonly Uint8Array[], offset: number, label: string): Promise<void> {
    return this.#busy.during(() => this.#file.write(buffers, offset, label));
  }

  sync(label: string): Promise<void> {
    return this.#busy.during(() => this.#file.sync(label));
  }

  writeSynced(buffers: readonly Uint8Array[], offset: number, label: string): Promise<void> {
    return this.#busy.during(() => this.#file.writeSynced(buffers, offset, label));
  }

  truncate(lengthBytes: number, label: string): Promise<void> {
    return this.#busy.during(() => this.#file.truncate(lengthBytes, label));
  }

  sizeBytes(label: string): Promise<number> {
    return this.#file.sizeBytes(label);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
