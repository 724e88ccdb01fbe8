import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A `PSTORAGE_ROOT` for one test: what is tested here are files that people and other programs edit. */
export async function temporaryRoot(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "pstorage-cli-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return root;
}
