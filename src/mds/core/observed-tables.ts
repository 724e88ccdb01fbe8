import { fromLatin1 } from "../../base/index.js";
import type { InodeNumber, InvalidItem } from "../../meta/index.js";
import type { InodeRecord } from "./records.js";
import type { Table, Tables } from "./tables.js";

/**
 * The tables, and every change of what clients may keep told to `note` when it is made: whatever a command does, by
 * whichever way, cannot be forgotten here. A session that gets a file to itself is such a change too: from then on it
 * alone knows size and times.
 */
export function observedTables(tables: Tables, note: (item: InvalidItem) => void): Tables {
  return {
    ...tables,
    inodes: observedInodes(tables.inodes, note),
    dentries: observed(tables.dentries, (ino, name) => note({ kind: "entry", ino, name: fromLatin1(name) })),
    xattrs: observed(tables.xattrs, (ino, _name) => note(inodeItem(ino))),
    opens: observedOpens(tables.opens, note),
  };
}

/** All that is known of an inode but its data. */
export const inodeItem = (ino: InodeNumber): InvalidItem => ({ kind: "inode", ino, name: NOTHING });

/** All names of a directory. */
export const entriesItem = (ino: InodeNumber): InvalidItem => ({ kind: "entries", ino, name: NOTHING });

/** That nobody else knows anything of it. */
export const soleItem = (ino: InodeNumber): InvalidItem => ({ kind: "sole", ino, name: NOTHING });

const NOTHING = new Uint8Array(0);

function observed<Key extends readonly unknown[], Value>(
  table: Table<Key, Value>,
  changed: (...key: Key) => void,
): Table<Key, Value> {
  return {
    get: (...key) => table.get(...key),
    put: (value, ...key) => {
      table.put(value, ...key);
      changed(...key);
    },
    delete: (...key) => {
      table.delete(...key);
      changed(...key);
    },
  };
}

function observedInodes(inodes: Tables["inodes"], note: (item: InvalidItem) => void): Tables["inodes"] {
  return {
    get: (ino) => inodes.get(ino),
    put: (inode, ino) => {
      const before = inodes.get(ino);
      inodes.put(inode, ino);
      // Nobody was told anything of an inode that did not exist.
      if (before === undefined || isOnlyDataVersion(before, inode)) return;
      note({ kind: hasOtherContents(before, inode) ? "contents" : "inode", ino, name: NOTHING });
    },
    delete: (ino) => {
      inodes.delete(ino);
      note({ kind: "contents", ino, name: NOTHING });
    },
  };
}

function observedOpens(opens: Tables["opens"], note: (item: InvalidItem) => void): Tables["opens"] {
  return {
    get: (ino, sessionId) => opens.get(ino, sessionId),
    delete: (ino, sessionId) => opens.delete(ino, sessionId),
    put: (open, ino, sessionId) => {
      const before = opens.get(ino, sessionId)?.lease;
      opens.put(open, ino, sessionId);
      if (open.lease === "exclusive" && before !== "exclusive") note(inodeItem(ino));
    },
    values: () => opens.values(),
    valuesOf: (...prefix) => opens.valuesOf(...prefix),
    get size() {
      return opens.size;
    },
  };
}

/** Only who opens the file is told of it, and keeps it together with the lease. */
function isOnlyDataVersion(before: InodeRecord, after: InodeRecord): boolean {
  return (
    before.dataVersion !== after.dataVersion &&
    before.changeCount === after.changeCount &&
    before.chunkCount === after.chunkCount
  );
}

function hasOtherContents(before: InodeRecord, after: InodeRecord): boolean {
  return (
    before.sizeBytes !== after.sizeBytes ||
    before.mtime.seconds !== after.mtime.seconds ||
    before.mtime.nanos !== after.mtime.nanos
  );
}
