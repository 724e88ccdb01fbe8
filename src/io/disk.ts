import type { Kv } from "./kv.js";

/**
 * A directory tree on a disk. Paths are absolute. Every call carries an operation label (`cs.chunk.write`): the
 * simulator injects faults by label, and a test for every label fails there, restarts and checks what survived.
 *
 * Failures are `StorageError`s: `no_space` (ENOSPC, EDQUOT), `not_found` (ENOENT), `exists` (EEXIST), `read_only`
 * (EROFS), everything else `io_error` with the errno in the detail.
 *
 * What survives: a call that resolved survives a crash of the process. Loss of power keeps only what was synced:
 * file data by `sync` on the file, names by `syncDirectory` on the directory.
 */
export interface Disk {
  /** `create` makes a missing file (mode 0644) and opens an existing one as it is; the others need it to exist. */
  open(path: string, mode: "read" | "read-write" | "create", label: string): Promise<DiskFile>;
  /** The whole of a small file. */
  readFile(path: string, label: string): Promise<Uint8Array>;
  /**
   * Replaces a small file atomically and durably: temporary name, sync, rename, sync of the directory. The mode is
   * 0644 unless given. A crash may leave `PATH.tmp` behind, which readers of the directory skip.
   */
  replaceFile(path: string, bytes: Uint8Array, label: string, mode?: number): Promise<void>;
  /** Creates missing parents too. `mode` (default 0777 less the umask) is that of every directory it creates. */
  makeDirectory(path: string, label: string, mode?: number): Promise<void>;
  /** Names, sorted. */
  list(path: string, label: string): Promise<string[]>;
  /** Removes a file or an empty directory; a missing one is not an error. */
  remove(path: string, label: string): Promise<void>;
  /** Replaces an existing file of the new name. */
  rename(from: string, to: string, label: string): Promise<void>;
  syncDirectory(path: string, label: string): Promise<void>;
  /** Space of the file system that holds the path. */
  space(path: string, label: string): Promise<DiskSpace>;
  /** Opens (creating if missing) an ordered store in that directory. */
  openKv(path: string, label: string): Promise<Kv>;
  /** An identifier that changes at every boot of the host: tells a crash of the process from one of the host. */
  bootId(): string;
}

export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

export interface DiskFile {
  /** Fills the buffer from the offset; resolves with the number of bytes there were before end of file. */
  read(buffer: Uint8Array, offset: number, label: string): Promise<number>;
  /** The same, if memory can be expected to have the bytes; undefined: `read` is to be asked, and says what is the matter. */
  readAtOnce(buffer: Uint8Array, offset: number, label: string): number | undefined;
  /**
   * Writes all the buffers one after the other, starting at the offset, or fails, and then any part may have been
   * written. The buffers must not change until it resolves.
   */
  write(buffers: readonly Uint8Array[], offset: number, label: string): Promise<void>;
  /**
   * Data and the size to reach them (fdatasync), of every write that had resolved before the call. After a failed
   * sync those writes may be lost though a later sync succeeds: give the file up.
   */
  sync(label: string): Promise<void>;
  /**
   * Writes, and resolves when these bytes, and the size to reach them, are as safe as after `sync` (`O_DSYNC`). Says nothing of
   * other writes. Failures are those of `write` and `sync`.
   */
  writeSynced(buffers: readonly Uint8Array[], offset: number, label: string): Promise<void>;
  truncate(lengthBytes: number, label: string): Promise<void>;
  sizeBytes(label: string): Promise<number>;
  /** Idempotent. Calls under way are completed first; later ones fail. */
  close(): Promise<void>;
}
