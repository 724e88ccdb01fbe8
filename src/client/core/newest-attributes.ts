import type { Attributes, InodeNumber } from "../../meta/index.js";

/** Of so many inodes the newest is remembered: an answer that is older does not come much later. */
const REMEMBERED_MAX = 4096;

/**
 * What the MDS answered to this client's last report of each inode. An answer that was on its way meanwhile may say what
 * was true before the report, when only this client knew the rest: it is older, and must not be believed any more.
 */
export class NewestAttributes {
  /** The one told longest ago first. */
  readonly #newest = new Map<InodeNumber, Attributes>();

  told(attributes: Attributes): void {
    const { ino } = attributes;
    const newest = this.newest(attributes);
    this.#newest.delete(ino);
    this.#newest.set(ino, newest);
    if (this.#newest.size <= REMEMBERED_MAX) return;
    for (const oldest of this.#newest.keys()) {
      this.#newest.delete(oldest);
      return;
    }
  }

  /** These, unless something newer is known of the same inode. */
  newest(attributes: Attributes): Attributes {
    const known = this.#newest.get(attributes.ino);
    if (known === undefined || known.generation !== attributes.generation) return attributes;
    return known.changeCount > attributes.changeCount ? known : attributes;
  }
}
