import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { storageError } from "../../base/index.js";
import { readText } from "../host-files.js";
import { isAlive } from "../service-control.js";

/** One `lab up` at a time works on a directory: the file names its process. Of a process that is gone it is void. */
export class LabLock {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Throws `refused` if another process has it. */
  static async take(directory: string): Promise<LabLock> {
    const path = join(directory, "lab.lock");
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const file = await open(path, "wx");
        await file.writeFile(`${process.pid}\n`);
        await file.close();
        return new LabLock(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const pid = Number.parseInt((await readText(path)) ?? "", 10);
      if (pid > 0 && isAlive(pid)) {
        throw storageError(
          "refused",
          `pstorage lab up runs on ${directory} already (pid ${pid}); wait for it, or choose another directory with --dir`,
        );
      }
      await rm(path, { force: true });
    }
    throw storageError("refused", `another pstorage lab up has just begun on ${directory}; wait for it`);
  }

  async release(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
