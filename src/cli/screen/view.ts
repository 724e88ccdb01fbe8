import type { ClientStatus, ClusterStatus, CsStatus, EventRecord, MdsStatus } from "../../meta/index.js";
import { type HeaderOptions, headerLines } from "./header.js";
import { SCREEN_DEFAULTS } from "./settings.js";
import { type SortKey, sorted } from "./sorting.js";
import { pagesOf, type TableColumn, tableLines, wrapped } from "./table.js";
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
  /** Which page of columns: the first, the next, and after the last the first again. Undefined: all pages of the first set. */
  readonly columnSet: number | undefined;
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
  columnSet: undefined,
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

/** The title of the column of events that may be long. */
const LAST_EVENT_COLUMN = "MESSAGE";

/** The lines of one table, its header first; none is longer than the screen unless a single column is. */
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
    case "events": {
      const [title = "", ...rows] = tableLines(EVENT_COLUMNS, events);
      const indent = title.indexOf(LAST_EVENT_COLUMN);
      return [title, ...rows.flatMap((row) => wrapped(row, options.width, indent))];
    }
  }
}

function sortedLines<Row>(
  sets: readonly (readonly TableColumn<Row>[])[],
  rows: readonly Row[],
  order: readonly SortKey[],
  { columnSet, width }: ViewOptions,
): string[] {
  const ordered = sorted(rows, allColumns(sets), order);
  const pages = sets
    .slice(0, columnSet === undefined ? 1 : undefined)
    .flatMap((columns) => pagesOf(columns, rows, width));
  if (columnSet === undefined)
    return pages.flatMap((columns, index) => [...(index === 0 ? [] : [""]), ...tableLines(columns, ordered)]);
  // Sets that are alike begin with the same page.
  const titles = pages.map((columns) => columns.map(({ title }) => title).join());
  const different = pages.filter((_, index) => titles.indexOf(titles[index] ?? "") === index);
  return tableLines(different[columnSet % different.length] ?? [], ordered);
}
