import { statSync } from "node:fs";
import type { Disk } from "../disk.js";

/**
 * The same for processes that see the same files under the same paths: the host since it booted, and the root directory.
 * Containers on one host differ, however alike their paths are.
 */
export function filesId(disk: Pick<Disk, "bootId">): string {
  const { dev, ino } = statSync("/", { bigint: true });
  return `${disk.bootId()}/${dev}/${ino}`;
}
