/** What a disk does wrong; by default nothing. */
export interface DiskFaults {
  /** Of each kind of operation, the part that fails with EIO: 0 to 1. */
  readonly eio?: Partial<Readonly<Record<OperationKind, number>>>;
  /** Everything takes so much longer. */
  readonly delayMs?: number;
  /** Nothing is answered, until the process that waits is killed or the fault is gone. */
  readonly hangs?: boolean;
  /** As ext4 does it after an error with `errors=remount-ro`: EROFS for all that changes something. */
  readonly isReadOnly?: boolean;
  /** Says that it has synced what it has not, as a disk whose cache forgets at power loss. */
  readonly lies?: boolean;
  /** ENOSPC for all that needs space. */
  readonly isFull?: boolean;
}

export type OperationKind = "read" | "write" | "sync" | "names";

/** One line to the process of a disk, as JSON. It answers each with a line: `done`, or what went wrong. */
export type DiskCommand =
  | { readonly type: "faults"; readonly faults: DiskFaults }
  /** Nothing may use the disk: what was not synced is gone, or not, block by block. */
  | { readonly type: "losePower" };
