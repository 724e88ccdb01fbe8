import { toLatin1 } from "../../base/index.js";
import { type InodeNumber, type MetadataMutation, NAME_BYTES_MAX, type SessionId } from "../../meta/index.js";
import type { Concern } from "./sole-interest.js";
import type { Tables } from "./tables.js";

/** What a mutation may change or show, as things are now: the inodes that it names, and those its names stand for. */
export function concernOf(
  tables: Pick<Tables, "dentries">,
  sessionId: SessionId,
  mutation: MetadataMutation,
  named: readonly InodeNumber[],
): Concern {
  const places = placesOf(mutation);
  const inos = [...named];
  for (const [directory, name] of places) {
    if (name.length === 0 || name.length > NAME_BYTES_MAX) continue;
    const ino = tables.dentries.get(directory, toLatin1(name))?.ino;
    if (ino !== undefined) inos.push(ino);
  }
  return { sessionId, inos, directories: places.map(([directory]) => directory) };
}

function placesOf(mutation: MetadataMutation): (readonly [directory: InodeNumber, name: Uint8Array])[] {
  const { type, body } = mutation;
  switch (type) {
    case "create":
      return body.mustBeNew || body.unnamed === true ? [] : [[body.parent, body.name]];
    case "remove":
      return [[body.parent, body.name]];
    case "rename":
      return [
        [body.fromParent, body.fromName],
        [body.toParent, body.toName],
      ];
    default:
      return [];
  }
}
