import { deriveKey, shortKeyedHash } from "../auth/index.js";
import { toUtf8 } from "../base/index.js";
import { type ChunkMap, encodeTicket, LEVEL_OF, type Ticket } from "../chunk/index.js";
import type { InodeNumber, SessionId } from "../meta/index.js";
import { isWriting } from "./core/leases.js";
import { levelOf } from "./core/levels.js";
import type { MetadataStore } from "./store/metadata-store.js";

/** Says to chunk servers, in every map that a client is given, what its lease allows (`chunk/ticket.ts`). */
export class Tickets {
  readonly #store: Pick<MetadataStore, "tables" | "appliedIndex">;
  #derived: { readonly secrets: Uint8Array; readonly key: Uint8Array } | undefined;

  constructor(store: Pick<MetadataStore, "tables" | "appliedIndex">) {
    this.#store = store;
  }

  /** What they are sealed with; every metadata server of the cluster finds the same. Undefined: the cluster uses none yet. */
  get key(): Uint8Array | undefined {
    const { tables } = this.#store;
    const cluster = tables.cluster.get();
    if (cluster === undefined || levelOf(tables) < LEVEL_OF.tickets) return undefined;
    const { secrets, clusterId } = cluster;
    if (this.#derived?.secrets !== secrets)
      this.#derived = { secrets, key: deriveKey(secrets, toUtf8(clusterId), "pstorage tickets 1") };
    return this.#derived.key;
  }

  /** The maps, with tickets if the session has a lease on the file now. */
  withTickets(sessionId: SessionId, ino: InodeNumber, maps: readonly ChunkMap[]): readonly ChunkMap[] {
    const { key } = this;
    const open = this.#store.tables.opens.get(ino, sessionId);
    if (key === undefined || open === undefined || open.lease === "none") return maps;
    const ticket: Ticket = {
      sessionId,
      issuedAt: this.#store.appliedIndex(),
      mayChange: isWriting(open.counts),
      excludesOthers: open.lease !== "shared",
    };
    const seal = (bytes: Uint8Array): Uint8Array => shortKeyedHash(key, bytes);
    return maps.map((map) => ({ ...map, ticket: encodeTicket(map, ticket, seal) }));
  }
}
