import { headerLines } from "./header.js";
import { cut, wrapped } from "./table.js";
import { KEY_HELP, type TopState } from "./top-state.js";
import { linesOf, type Picture, type TableName, type ViewOptions } from "./view.js";

export interface TopOptions extends Pick<ViewOptions, "show" | "thresholds"> {
  readonly width: number;
  /** Lines there are; infinite if the terminal cannot be painted over. */
  readonly height: number;
  /** What is wrong with what is shown, if anything. */
  readonly notice: string;
}

const TABLES: readonly TableName[] = ["mds", "cs", "clients", "events"];

/** What `top` shows: no line longer than the width, no more lines than the height. */
export function topLines(picture: Picture, state: TopState, options: TopOptions): string[] {
  const { width, height, notice } = options;
  const view: ViewOptions = { ...options, ...state };
  const notices = notice === "" ? [] : wrapped(notice, width, 2);
  const header = [...notices, ...headerLines(picture.status, view)];
  const room = Math.max(0, height - header.length);
  const body = state.isHelp ? ["", ...KEY_HELP] : bodyLines(picture, state, view, room);
  return [...header, ...body].slice(0, height).map((line) => cut(line, width));
}

function bodyLines(picture: Picture, state: TopState, view: ViewOptions, room: number): string[] {
  if (state.shown === "all") return allTables(picture, view, room);
  const [title = "", ...rows] = linesOf(state.shown, picture, view);
  const fit = Math.max(1, room - 2);
  const last = Math.max(0, rows.length - fit);
  // The latest events are at the end, and scrolling goes back from there.
  const first =
    state.shown === "events" ? Math.max(0, last - state.scrolled) : Math.min(last, state.scrolled);
  return ["", title, ...rows.slice(first, Number.isFinite(fit) ? first + fit : undefined)];
}

/** All tables one under the other. Those with few rows are whole; the others share what is left. */
function allTables(picture: Picture, view: ViewOptions, room: number): string[] {
  const tables = TABLES.map((name) => ({ name, lines: linesOf(name, picture, view) }));
  // An empty line and the header of each.
  const left = Math.max(0, room - 2 * tables.length);
  const shares = fairShares(
    tables.map(({ lines }) => lines.length - 1),
    left,
  );
  return tables.flatMap(({ name, lines }, index) => {
    const [title = "", ...rows] = lines;
    const share = shares[index] ?? 0;
    if (rows.length <= share) return ["", title, ...rows];
    if (name === "events") return ["", title, ...wholeEvents(rows.slice(rows.length - share))];
    const shown = rows.slice(0, Math.max(0, share - 1));
    const rest = share === 0 ? [] : [`  ... ${rows.length - shown.length} more`];
    return ["", title, ...shown, ...rest];
  });
}

/** Without the end of one whose beginning is not there. */
function wholeEvents(rows: readonly string[]): readonly string[] {
  const first = rows.findIndex((row) => !row.startsWith(" "));
  return rows.slice(Math.max(0, first));
}

/** How many rows each gets, if that many are wanted and so many are there: the same for all that want more. */
export function fairShares(wanted: readonly number[], available: number): number[] {
  const shares = wanted.map(() => 0);
  let left = available;
  for (;;) {
    const hungry = wanted.flatMap((count, index) => (count > (shares[index] ?? 0) ? [index] : []));
    if (hungry.length === 0 || left <= 0) return shares;
    const each = Math.max(1, Math.floor(left / hungry.length));
    for (const index of hungry) {
      const more = Math.min(each, left, (wanted[index] ?? 0) - (shares[index] ?? 0));
      shares[index] = (shares[index] ?? 0) + more;
      left -= more;
    }
  }
}
