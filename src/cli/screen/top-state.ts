import type { SortKey } from "./sorting.js";
import { sortKeyOf } from "./sorting.js";
import { allColumns, clientColumns, csColumns, mdsColumns } from "./tables.js";
import type { SortOrders, TableName } from "./view.js";

/** What somebody chose to see in `top`. */
export interface TopState {
  readonly shown: "all" | TableName;
  readonly columnSet: number;
  readonly isVerbose: boolean;
  readonly isHelp: boolean;
  readonly orders: SortOrders;
  /** Rows of a table alone that are over the upper edge. */
  readonly scrolled: number;
}

/** What a key calls for beside a new picture. */
export type KeyEffect = "none" | "refresh" | "quit";

/** Keys of `top`, as its help shows them. */
export const KEY_HELP: readonly string[] = [
  "a  all tables               i  other columns",
  "m  metadata servers         V  more in the header",
  "c  chunk servers            o  sort by the next column",
  "t  clients                  s  sort the other way round",
  "e  events                   g, space  look again now",
  "h  this help                q  quit",
  "arrows, page up and down: scroll a table that is shown alone",
];

const SHOWN: Readonly<Record<string, TopState["shown"]>> = {
  a: "all",
  m: "mds",
  c: "cs",
  // As people who ran the original may have learnt it.
  C: "cs",
  t: "clients",
  e: "events",
};

const SCROLLS: Readonly<Record<string, number>> = {
  "\u001b[A": -1,
  "\u001b[B": 1,
  "\u001b[5~": -20,
  "\u001b[6~": 20,
};

const QUITS = new Set(["q", "Q", "\u0003", "\u0004"]);

/** A key was pressed: what to see now, and what to do. Keys without a meaning change nothing. */
export function pressed(
  state: TopState,
  key: string,
): { readonly state: TopState; readonly effect: KeyEffect } {
  if (QUITS.has(key)) return { state, effect: "quit" };
  if (key === "g" || key === " ") return { state, effect: "refresh" };
  return { state: changed(state, key), effect: "none" };
}

/** One string for each key of what a terminal sent, which may be several at once. */
export function keysOf(text: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: keys begin with an escape character.
  return text.match(/\u001b\[[0-9;]*[A-Za-z~]|\u001bO[A-Z]|[\s\S]/gu) ?? [];
}

function changed(state: TopState, key: string): TopState {
  const shown = SHOWN[key];
  if (shown !== undefined) return { ...state, shown, isHelp: false, scrolled: 0 };
  const scroll = SCROLLS[key];
  if (scroll !== undefined) return { ...state, scrolled: Math.max(0, state.scrolled + scroll) };
  switch (key) {
    case "i":
      return { ...state, columnSet: state.columnSet + 1 };
    case "V":
      return { ...state, isVerbose: !state.isVerbose };
    case "h":
    case "?":
      return { ...state, isHelp: !state.isHelp };
    case "o":
      return withOrder(state, nextOrder);
    case "s":
      return withOrder(state, invertedOrder);
    default:
      return state;
  }
}

type SortedTable = keyof SortOrders;

const same = (address: string): string => address;

const KEYS: Readonly<Record<SortedTable, readonly string[]>> = {
  mds: allColumns(mdsColumns(same)).map(sortKeyOf),
  cs: allColumns(csColumns(same)).map(sortKeyOf),
  clients: allColumns(clientColumns(same)).map(sortKeyOf),
};

/** Of the table that is shown alone; of the chunk servers when all are. */
function withOrder(
  state: TopState,
  change: (order: readonly SortKey[], keys: readonly string[]) => readonly SortKey[],
): TopState {
  if (state.shown === "events") return state;
  const table: SortedTable = state.shown === "all" ? "cs" : state.shown;
  const orders = { ...state.orders, [table]: change(state.orders[table], KEYS[table]) };
  return { ...state, orders };
}

function nextOrder(order: readonly SortKey[], keys: readonly string[]): readonly SortKey[] {
  const at = order[0] === undefined ? 0 : keys.indexOf(order[0].key);
  const key = keys[(at + 1) % keys.length];
  return key === undefined ? order : [{ key, isInverted: order[0]?.isInverted ?? false }];
}

function invertedOrder(order: readonly SortKey[], keys: readonly string[]): readonly SortKey[] {
  const inverted = order.map(({ key, isInverted }) => ({ key, isInverted: !isInverted }));
  const first = keys[0];
  return inverted.length > 0 || first === undefined ? inverted : [{ key: first, isInverted: true }];
}
