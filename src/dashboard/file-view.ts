import { failureOf } from "../base/index.js";
import type { Admin } from "../client/index.js";
import type { ChunkInfo, FileLease } from "../meta/index.js";

/** Where a file is, and who has it open. */
export interface FileView {
  readonly chunks: readonly ChunkInfo[];
  /** Undefined: the leading metadata server is of an earlier version, and cannot say. */
  readonly leases: readonly FileLease[] | undefined;
}

/** What there is to say of a file. */
export async function viewOfFile(
  admin: Pick<Admin, "allFileChunks" | "fileLeases">,
  ino: number,
): Promise<FileView> {
  const [chunks, leases] = await Promise.all([admin.allFileChunks(ino), leasesOf(admin, ino)]);
  return { chunks, leases };
}

async function leasesOf(admin: Pick<Admin, "fileLeases">, ino: number): Promise<FileView["leases"]> {
  try {
    return (await admin.fileLeases({ ino })).leases;
  } catch (error) {
    if (failureOf(error)?.code === "unsupported") return undefined;
    throw error;
  }
}
