import type { ClientStatus, CsStatus, EventRecord, MdsStatus } from "../../meta/index.js";
import { formatDuration, formatSize, formatTime } from "../output.js";
import type { TableColumn } from "./table.js";

/** How an address `IP:PORT` is shown. */
export type ShowAddress = (address: string) => string;

/** Of a server that did not say. */
const UNKNOWN = "-";

/** The tables of `stat` and `top`, each with the sets of columns that key `i` goes through, page by page; the first set is that of `stat`. */
export function mdsColumns(show: ShowAddress): readonly (readonly TableColumn<MdsStatus>[])[] {
  const known = (text: (server: MdsStatus) => string) => (server: MdsStatus) =>
    server.hasLoad ? text(server) : UNKNOWN;
  const id: TableColumn<MdsStatus> = {
    title: "  MDSID",
    cell: ({ isLeader, mdsId }) => `${isLeader ? "M" : " "} ${String(mdsId).padStart(5)}`,
    value: ({ mdsId }) => mdsId,
    isAnchor: true,
  };
  const status = anchor(left<MdsStatus>("STATUS", (server) => server.status));
  const host = anchor(left<MdsStatus>("HOST", ({ address }) => show(address)));
  const usual: readonly TableColumn<MdsStatus>[] = [
    id,
    status,
    {
      title: "%CTIME",
      cell: known((s) => `${s.logTimePercent.toFixed(1)}%`),
      value: (s) => s.logTimePercent,
    },
    {
      title: "COMMITS",
      cell: known((s) => `${s.commitsPerSecond.toFixed(0)}/s`),
      value: (s) => s.commitsPerSecond,
    },
    { title: "%CPU", cell: known((s) => `${s.cpuPercent.toFixed(1)}%`), value: (s) => s.cpuPercent },
    { title: "MEM", cell: known((s) => formatSize(s.memoryBytes)), value: (s) => s.memoryBytes },
    { title: "UPTIME", cell: known((s) => formatDuration(s.uptimeSeconds)), value: (s) => s.uptimeSeconds },
    host,
  ];
  const applied: TableColumn<MdsStatus> = {
    title: "APPLIED",
    cell: ({ appliedIndex }) => String(appliedIndex),
    value: ({ appliedIndex }) => appliedIndex,
  };
  return [usual, [id, status, applied, host]];
}

export function csColumns(show: ShowAddress): readonly (readonly TableColumn<CsStatus>[])[] {
  const id = anchor(count<CsStatus>("  CSID", ({ csId }) => csId));
  const status = anchor(left<CsStatus>("STATUS", (server) => server.status));
  const host = anchor(left<CsStatus>("HOST", ({ address }) => show(address)));
  // Blocks always have checksums here.
  const flags = left<CsStatus>("FLAGS", (server) => [...new Set(`C${server.flags}`)].join(""));
  const usual: readonly TableColumn<CsStatus>[] = [
    id,
    status,
    size("SPACE", ({ totalBytes }) => totalBytes),
    size("FREE", ({ freeBytes }) => freeBytes),
    count("REPLICAS", ({ replicaCount }) => replicaCount),
    // The original of 2013 had none: what remains is its table, and fits into 80 columns.
    { ...count<CsStatus>("UNIQUE", ({ uniqueCount }) => uniqueCount), isLast: true },
    {
      title: "IOWAIT",
      cell: ({ ioWaitPercent }) => `${Math.round(ioWaitPercent)}%`,
      value: ({ ioWaitPercent }) => ioWaitPercent,
    },
    latency("IOLAT(ms)"),
    {
      title: "QDEPTH",
      cell: ({ queueDepthAverage }) => queueDepthAverage.toFixed(1),
      value: ({ queueDepthAverage }) => queueDepthAverage,
    },
    host,
  ];
  const traffic: readonly TableColumn<CsStatus>[] = [
    id,
    status,
    rate("READ", (server) => server.readBytesPerSecond),
    rate("WRITE", (server) => server.writeBytesPerSecond),
    ops("RD_OPS", (server) => server.readsPerSecond),
    ops("WR_OPS", (server) => server.writesPerSecond),
    ops("SYNCS", (server) => server.syncsPerSecond),
    rate("REPL_RD", (server) => server.servedFillBytesPerSecond),
    rate("REPL_WR", (server) => server.fillBytesPerSecond),
    host,
  ];
  const place: readonly TableColumn<CsStatus>[] = [
    id,
    status,
    count("TIER", ({ tier }) => tier),
    left("LOCATION", ({ location }) => location),
    left("HOSTID", ({ hostId }) => hostId),
    size("RD_TOTAL", ({ totals }) => totals.readBytes),
    size("WR_TOTAL", ({ totals }) => totals.writeBytes),
    host,
  ];
  return [usual, [...usual, flags], traffic, place];
}

export function clientColumns(show: ShowAddress): readonly (readonly TableColumn<ClientStatus>[])[] {
  const usual: readonly TableColumn<ClientStatus>[] = [
    anchor(count("  CLID", ({ sessionId }) => sessionId)),
    count("LEASES", ({ leaseCount }) => leaseCount),
    rate("READ", (client) => client.readBytesPerSecond),
    rate("WRITE", (client) => client.writeBytesPerSecond),
    ops("RD_OPS", (client) => client.readsPerSecond),
    ops("WR_OPS", (client) => client.writesPerSecond),
    ops("FSYNCS", (client) => client.syncsPerSecond),
    latency("IOLAT(ms)"),
    anchor(left("HOST", ({ hostname }) => hostname)),
  ];
  const whence: readonly TableColumn<ClientStatus>[] = [
    left("PROGRAM", ({ program }) => program),
    left("ADDRESS", ({ address }) => (address === "" ? UNKNOWN : show(address))),
  ];
  return [usual, [...usual, ...whence]];
}

export const EVENT_COLUMNS: readonly TableColumn<EventRecord>[] = [
  left("TIME", ({ wallMs }) => formatTime(wallMs)),
  left("SYS", ({ system }) => system),
  left("SEV", ({ severity }) => severity),
  left("MESSAGE", ({ message }) => message),
];

/** Every column of a table once, for sorting by those that are not shown. */
export function allColumns<Row>(sets: readonly (readonly TableColumn<Row>[])[]): readonly TableColumn<Row>[] {
  const known = new Map<string, TableColumn<Row>>();
  for (const column of sets.flat()) if (!known.has(column.title)) known.set(column.title, column);
  return [...known.values()];
}

/** `1.5MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}/s`;
}

function left<Row>(title: string, text: (row: Row) => string): TableColumn<Row> {
  return { title, cell: text, value: text, isLeft: true };
}

function anchor<Row>(column: TableColumn<Row>): TableColumn<Row> {
  return { ...column, isAnchor: true };
}

function count<Row>(title: string, value: (row: Row) => number): TableColumn<Row> {
  return { title, cell: (row) => String(value(row)), value };
}

function size<Row>(title: string, value: (row: Row) => number): TableColumn<Row> {
  return { title, cell: (row) => formatSize(value(row)), value };
}

function rate<Row>(title: string, value: (row: Row) => number): TableColumn<Row> {
  return { title, cell: (row) => formatRate(value(row)), value };
}

function ops<Row>(title: string, value: (row: Row) => number): TableColumn<Row> {
  return { title, cell: (row) => `${Math.round(value(row))}/s`, value };
}

/** Average and longest time of a request. */
function latency<Row extends { readonly latencyMsAverage: number; readonly latencyMsMax: number }>(
  title: string,
): TableColumn<Row> {
  return {
    title,
    cell: ({ latencyMsAverage, latencyMsMax }) =>
      `${Math.round(latencyMsAverage)}/${Math.round(latencyMsMax)}`,
    value: ({ latencyMsAverage }) => latencyMsAverage,
  };
}
