import { readFile } from "node:fs/promises";

/** `/proc/PID/status` of a thread; undefined if there is none any more. */
export async function processStatus(threadId: number): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${threadId}/status`, "utf8");
  } catch {
    // It has ended.
    return undefined;
  }
}
