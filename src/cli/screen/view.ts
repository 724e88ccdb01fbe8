import type { ClientStatus, ClusterStatus, CsStatus, EventRecord, MdsStatus } from "../../meta/index.js";
import { type HeaderOptions, headerLines } from "./header.js";
import { SCREEN_DEFAULTS } from "./settings.js";
import { type SortKey, sorted } from "./sorting.js";
import { type TableColumn, tableLines } from "./table.js";
import {
  allColumns,
  clientColumns,
  csColumns,
  EVENT_COLUMNS,
  mdsColumns,
  type ShowAddress,
} from "./tables.js";

/** A table of the screen. */
export type TableName = "mds" | "cs" | "clients" | "events";

/** How somebody wants to see the cluster. */
export interface ViewOptions extends HeaderOptions {
  readonly show: ShowAddress;
  readonly orders: SortOrders;
  /** Which set of columns: the first, the next, and after the last the first again. */
  readonly columnSet: number;
}

export interface SortOrders {
  readonly mds: readonly SortKey[];
  readonly cs: readonly SortKey[];
  readonly clients: readonly SortKey[];
}

export const UNSORTED: SortOrders = { mds: [], cs: [], clients: [] };

/** As nobody has chosen anything, for those who print into a text of their own. */
export const PLAIN_VIEW: ViewOptions = {
  thresholds: SCREEN_DEFAULTS.thresholds,
  isVerbose: false,
  width: Number.POSITIVE_INFINITY,
  show: (address) => address,
  orders: UNSORTED,
  columnSet: 0,
};

/** What there is to see. */
export interface Picture {
  readonly status: ClusterStatus;
  /** Oldest first. */
  readonly events: readonly EventRecord[];
}

/**
 * The lines of `stat`. Operators' scripts depend on them: what `headerLines` says, one line a server under the headers
 * `MDSID` and `CSID`, the host in the tenth column of a chunk server.
 */
export function statLines(status: ClusterStatus, options: ViewOptions): string[] {
  const picture = { status, events: [] };
  return [
    ...headerLines(status, options),
    "",
    ...linesOf("mds", picture, options),
    "",
    ...linesOf("cs", picture, options),
    "",
    ...linesOf("clients", picture, options),
  ];
}

/** The lines of one table, its header first. */
export function linesOf(table: TableName, { status, events }: Picture, options: ViewOptions): string[] {
  const { orders, show } = options;
  switch (table) {
    case "mds":
      return sortedLines<MdsStatus>(mdsColumns(show), status.mdsServers, orders.mds, options);
    case "cs": {
      const servers = status.chunkServers.filter((server) => server.status !== "dropped");
      return sortedLines<CsStatus>(csColumns(show), servers, orders.cs, options);
    }
    case "clients":
      return sortedLines<ClientStatus>(clientColumns(show), status.clients, orders.clients, options);
    case "events":
      return tableLines(EVENT_COLUMNS, events);
  }
}

function sortedLines<Row>(
  sets: readonly (readonly TableColumn<Row>[])[],
  rows: readonly Row[],
  order: readonly SortKey[],
  { columnSet }: ViewOptions,
): string[] {
  const columns = sets[columnSet % sets.length] ?? [];
  return tableLines(columns, sorted(rows, allColumns(sets), order));
}
