import type { InodeNumber, MetadataMutation, MetadataReply } from "../../meta/index.js";
import type { OwnName } from "./metadata-cache.js";

/** What a mutation of this session may make untrue of what is kept here. */
export interface OwnChange {
  readonly inos: readonly InodeNumber[];
  readonly names: readonly { readonly directory: InodeNumber; readonly name: Uint8Array }[];
  /** It may concern inodes that are not known here: whatever the name stands for. */
  readonly isWild: boolean;
  /** Extended attributes stay as they are. */
  readonly keepsXattrs: boolean;
}

/** What a name stands for, as far as it is known: `null` if there is none. */
type EntryOf = (directory: InodeNumber, name: Uint8Array) => InodeNumber | null | undefined;

export function ownChange(mutation: MetadataMutation, entryOf: EntryOf): OwnChange {
  const { type, body } = mutation;
  switch (type) {
    case "create":
      return naming(
        [body.parent],
        [{ directory: body.parent, name: body.name }],
        body.mustBeNew ? undefined : entryOf,
      );
    case "link":
      return naming([body.ino, body.parent], [{ directory: body.parent, name: body.name }], undefined);
    case "remove":
      return naming([body.parent], [{ directory: body.parent, name: body.name }], entryOf);
    case "rename": {
      const from = { directory: body.fromParent, name: body.fromName };
      const to = { directory: body.toParent, name: body.toName };
      return naming([body.fromParent, body.toParent], [from, to], entryOf);
    }
    case "markAccessed":
    case "settleFiles": {
      const inos = body.files.map(({ ino }) => ino);
      return { inos, names: [], isWild: false, keepsXattrs: true };
    }
    case "setLock":
    case "openAhead":
    case "reserveNumbers":
    // What was answered early was foretold.
    case "changeTogether":
      return { inos: [], names: [], isWild: false, keepsXattrs: true };
    case "setXattr":
    case "removeXattr":
    case "setAttributes":
    case "truncate":
      return { inos: [body.ino], names: [], isWild: false, keepsXattrs: false };
    default:
      return { inos: [body.ino], names: [], isWild: false, keepsXattrs: true };
  }
}

/**
 * What names stand for after it, as far as the answer says so. Not of a rename: between two names of one inode it does
 * nothing.
 */
export function ownNames(mutation: MetadataMutation, reply: MetadataReply): OwnName[] {
  const { type, body } = mutation;
  switch (type) {
    case "create":
    case "link": {
      const isTold = reply.type === "entry" || reply.type === "opened";
      if (!isTold || body.name.length === 0) return [];
      return [{ directory: body.parent, name: body.name, ino: reply.body.attributes.ino }];
    }
    case "remove":
      return [{ directory: body.parent, name: body.name, ino: null }];
    default:
      return [];
  }
}

function naming(
  inos: readonly InodeNumber[],
  names: OwnChange["names"],
  entryOf: EntryOf | undefined,
): OwnChange {
  if (entryOf === undefined) return { inos, names, isWild: false, keepsXattrs: true };
  const known = names.map(({ directory, name }) => entryOf(directory, name));
  const victims = known.filter((ino) => ino !== null && ino !== undefined);
  return { inos: [...inos, ...victims], names, isWild: known.includes(undefined), keepsXattrs: true };
}
