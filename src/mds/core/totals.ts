import { isFile } from "../../meta/index.js";
import type { InodeRecord, TotalsRecord } from "./records.js";
import type { Table, Tables } from "./tables.js";

export const NO_TOTALS: TotalsRecord = { fileCount: 0, inodeCount: 0, sizeBytes: 0, chunkCount: 0 };

/** The same tables, with the totals kept in step with every inode that is put or deleted through them. */
export function countInodes(tables: Tables): Tables {
  const { inodes, totals } = tables;
  const count = (old: InodeRecord | undefined, now: InodeRecord | undefined): void => {
    const before = totals.get() ?? NO_TOTALS;
    const after = sum(before, shareOf(now), shareOf(old));
    if (!isSame(before, after)) totals.put(after);
  };
  const counted: Table<[InodeRecord["ino"]], InodeRecord> = {
    get: (ino) => inodes.get(ino),
    put: (inode, ino) => {
      count(inodes.get(ino), inode);
      inodes.put(inode, ino);
    },
    delete: (ino) => {
      count(inodes.get(ino), undefined);
      inodes.delete(ino);
    },
  };
  return { ...tables, inodes: counted };
}

/** What one inode adds to the totals. */
function shareOf(inode: InodeRecord | undefined): TotalsRecord {
  if (inode === undefined) return NO_TOTALS;
  const isRegular = isFile(inode.mode);
  return {
    fileCount: isRegular ? 1 : 0,
    inodeCount: 1,
    sizeBytes: isRegular ? inode.sizeBytes : 0,
    chunkCount: inode.chunkCount,
  };
}

function sum(totals: TotalsRecord, plus: TotalsRecord, minus: TotalsRecord): TotalsRecord {
  return {
    fileCount: totals.fileCount + plus.fileCount - minus.fileCount,
    inodeCount: totals.inodeCount + plus.inodeCount - minus.inodeCount,
    sizeBytes: totals.sizeBytes + plus.sizeBytes - minus.sizeBytes,
    chunkCount: totals.chunkCount + plus.chunkCount - minus.chunkCount,
  };
}

function isSame(a: TotalsRecord, b: TotalsRecord): boolean {
  return (
    a.fileCount === b.fileCount &&
    a.inodeCount === b.inodeCount &&
    a.sizeBytes === b.sizeBytes &&
    a.chunkCount === b.chunkCount
  );
}
