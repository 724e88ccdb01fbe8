import type { FailureCode } from "../base/index.js";
import type { Attributes, StorageAttributes, Timestamp } from "./attributes.js";
import type { InodeNumber } from "./ids.js";
import type { Access, MutationId } from "./requests.js";

/**
 * What a writer knows of several of its files, and which of its opens end: as many `reportFile` and `close`, each of
 * which succeeds or fails for itself. At most `SETTLE_FILES_MAX` of them.
 */
export interface SettleFiles {
  readonly id: MutationId;
  readonly files: readonly FileSettlement[];
}
export interface FileSettlement {
  readonly ino: InodeNumber;
  /** Of the report. */
  readonly leaseSequence: number;
  readonly report?: FileReport | undefined;
  /** One access for each open that ends. */
  readonly closes: readonly Access[];
}
export interface FileReport {
  readonly sizeBytes: number;
  readonly mtime: Timestamp;
  /** As in `ReportFile`. */
  readonly writtenBytes?: number | undefined;
  /**
   * The whole contents, by an exclusive holder of a file without chunks: these bytes, then zeros up to the size. Fails with
   * `conflict` if it has chunks.
   */
  readonly inline?: Uint8Array | undefined;
}
/** Files of one `settleFiles`. */
export const SETTLE_FILES_MAX = 256;
/** No contents longer than that are kept in the metadata, nor longer than a chunk of the file. */
export const INLINE_BYTES_MAX = 65_536;

/** Up to which length the contents of a file may be kept in the metadata, of those that are `configured`; 0: none. */
export const inlineBytesMaxOf = (
  configured: number,
  { chunkBytes }: Pick<StorageAttributes, "chunkBytes">,
): number => Math.min(configured, chunkBytes);

/** Of settleFiles: one result for each file, in their order. */
export interface Settled {
  readonly results: readonly SettleResult[];
}
export interface SettleResult {
  /** Nothing of this file was done, or not all of its closes. */
  readonly failure?: FailureCode | undefined;
  readonly detail: string;
  /** As the file is now; absent if it is gone, or of a failure. */
  readonly attributes?: Attributes | undefined;
}

/** The contents of a file without chunks: these bytes, then zeros up to its size. */
export interface InlineContents {
  readonly bytes: Uint8Array;
  /** Contents up to that length may be kept in the metadata; 0: none. */
  readonly bytesMax: number;
}
