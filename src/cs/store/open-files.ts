import type { Disk, DiskFile } from "../../io/index.js";

interface OpenFile {
  readonly file: Promise<DiskFile>;
  userCount: number;
}

/** Files kept open at the same time, as far as they are not all in use. */
const OPEN_COUNT_MAX = 256;

/** Files of chunks, opened when they are needed and closed when others are needed more. */
export class OpenFiles {
  readonly #disk: Disk;
  /** By path, least recently used first. */
  readonly #files = new Map<string, OpenFile>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Runs `act` on the open file. `create` makes a missing one; otherwise it fails with `not_found`. */
  async use<T>(
    path: string,
    mode: "create" | "read-write",
    label: string,
    act: (file: DiskFile) => Promise<T>,
  ): Promise<T> {
    const open = this.#get(path, mode, label);
    open.userCount++;
    try {
      return await act(await open.file);
    } finally {
      open.userCount--;
      this.#trim();
    }
  }

  /** Closes the file once nobody uses it; whoever still does fails or is done. */
  async forget(path: string): Promise<void> {
    const open = this.#files.get(path);
    if (open === undefined) return;
    this.#files.delete(path);
    await closeQuietly(open);
  }

  async close(): Promise<void> {
    const all = [...this.#files.values()];
    this.#files.clear();
    await Promise.all(all.map(closeQuietly));
  }

  #get(path: string, mode: "create" | "read-write", label: string): OpenFile {
    const known = this.#files.get(path);
    if (known !== undefined) {
      this.#files.delete(path);
      this.#files.set(path, known);
      return known;
    }
    const open: OpenFile = { file: this.#disk.open(path, mode, label), userCount: 0 };
    this.#files.set(path, open);
    // A file that could not be opened is tried again by the next user.
    open.file.catch(() => {
      if (this.#files.get(path) === open) this.#files.delete(path);
    });
    return open;
  }

  #trim(): void {
    if (this.#files.size <= OPEN_COUNT_MAX) return;
    for (const [path, open] of this.#files) {
      if (open.userCount > 0) continue;
      this.#files.delete(path);
      void closeQuietly(open);
      if (this.#files.size <= OPEN_COUNT_MAX) return;
    }
  }
}

/** A file that never opened, or whose close fails, holds nothing that was promised: promises are made by sync. */
async function closeQuietly(open: OpenFile): Promise<void> {
  await open.file.then((file) => file.close()).catch(() => undefined);
}
