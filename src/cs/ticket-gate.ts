import { equalSecrets, shortKeyedHash } from "../auth/index.js";
import { storageError } from "../base/index.js";
import {
  type ChunkRequest,
  type ChunkVersion,
  decodeTicket,
  type Ticket,
  type TicketPlace,
  ticketSession,
} from "../chunk/index.js";
import type { ChunkCall, Peer } from "../rpc/index.js";

/** Sessions whose tickets are remembered for one chunk; of more the one that came first is looked at again. */
const KNOWN_MAX = 64;

/** What was shown for one version of a chunk. */
interface Book {
  readonly version: ChunkVersion;
  /** By session: the last good one, as it was shown. */
  readonly known: Map<number, { readonly bytes: Uint8Array; readonly ticket: Ticket }>;
  /** The latest that excludes others. */
  barrier: Ticket | undefined;
}

/**
 * Lets in whose session has a lease on the file, by the word of a metadata server (`chunk/ticket.ts`), and other chunk servers by
 * their certificates. Until the leader has told what tickets are sealed with, everybody: the cluster uses none yet.
 */
export class TicketGate {
  #key: Uint8Array | undefined;
  #books = new WeakMap<Versioned, Book>();

  learn(key: Uint8Array): void {
    if (this.#key !== undefined && equalSecrets(this.#key, key)) return;
    this.#key = key;
    this.#books = new WeakMap();
  }

  /** Throws `ticket_refused`, and `unauthorized` for what only chunk servers ask of each other. */
  check(replica: Versioned, { request, ticket }: ChunkCall, { roles }: Peer): void {
    if (this.#key === undefined) return;
    if (isOfServer(request)) {
      if (!roles.includes("cs")) throw storageError("unauthorized", "only chunk servers ask this");
      return;
    }
    const book = this.#bookOf(replica, request.body.version);
    const shown = ticket && this.#read(book, request.body, ticket, this.#key);
    if (shown === undefined) throw storageError("ticket_refused", "no ticket of this chunk was shown");
    if (isChange(request)) {
      const { sessionId } = request.body;
      if (!shown.mayChange || shown.sessionId !== sessionId)
        throw storageError("ticket_refused", "the ticket does not allow changes");
      const { barrier } = book;
      if (barrier !== undefined && barrier.sessionId !== sessionId && shown.issuedAt < barrier.issuedAt)
        throw storageError("ticket_refused", "the lease of the ticket is over");
    }
    if (shown.excludesOthers && shown.issuedAt >= (book.barrier?.issuedAt ?? 0)) book.barrier = shown;
  }

  /** A request of another version, which will be refused for that, leaves no trace. */
  #bookOf(replica: Versioned, version: ChunkVersion): Book {
    const present = this.#books.get(replica);
    if (present?.version === version && replica.version === version) return present;
    const book: Book = { version, known: new Map(), barrier: undefined };
    if (replica.version === version) this.#books.set(replica, book);
    return book;
  }

  #read({ known }: Book, place: TicketPlace, bytes: Uint8Array, key: Uint8Array): Ticket | undefined {
    const seen = known.get(ticketSession(bytes));
    if (seen !== undefined && equalSecrets(seen.bytes, bytes)) return seen.ticket;
    const ticket = decodeTicket(place, bytes, (sealed, seal) =>
      equalSecrets(shortKeyedHash(key, sealed), seal),
    );
    if (ticket === undefined) return undefined;
    known.delete(ticket.sessionId);
    // Not a view of the message that it came in.
    known.set(ticket.sessionId, { bytes: Uint8Array.from(bytes), ticket });
    for (const first of known.keys()) {
      if (known.size <= KNOWN_MAX) break;
      known.delete(first);
    }
    return ticket;
  }
}

/** A replica, for as long as it is there. */
interface Versioned {
  readonly version: ChunkVersion;
}

type OfServer = Extract<ChunkRequest, { readonly type: "forward" | "describe" }>;
type Change = Extract<ChunkRequest, { readonly type: "write" | "extents" | "zero" }>;

function isOfServer(request: ChunkRequest): request is OfServer {
  switch (request.type) {
    case "forward":
    case "describe":
      return true;
    case "sync":
      return request.body.isForwarded === true;
    case "read":
      return request.body.background || request.body.isOfServer === true;
    default:
      return false;
  }
}

function isChange(request: ChunkRequest): request is Change {
  return request.type === "write" || request.type === "extents" || request.type === "zero";
}
