/** What decides the place of a row; numbers are ordered by size, texts by letters. */
export type SortValue = number | string;

/** A column of a table of rows of one kind. */
export interface TableColumn<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** What the column is sorted by. */
  readonly value: (row: Row) => SortValue;
  readonly isLeft?: boolean;
  /** Says whose row it is: on every page of a table that is too wide for the screen. */
  readonly isAnchor?: boolean;
  /** Goes to the second page first. */
  readonly isLast?: boolean;
}

/**
 * The columns in as many pages as the width needs: each has the anchors, and of the others as many as fit. Each column is on a
 * page, and all are on one that is wide enough.
 */
export function pagesOf<Row>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
  width: number,
): readonly (readonly TableColumn<Row>[])[] {
  const space = (some: readonly TableColumn<Row>[]): number =>
    Math.max(...tableLines(some, rows).map((line) => line.length));
  if (space(columns) <= width) return [columns];
  const others = columns.filter(({ isAnchor }) => isAnchor !== true);
  const pages: TableColumn<Row>[][] = [];
  for (const column of [...others.filter(isEarly), ...others.filter((other) => !isEarly(other))]) {
    const page = pages.at(-1);
    const longer = columns.filter((one) => one.isAnchor || one === column || page?.includes(one));
    if (page === undefined || space(longer) > width) pages.push([column]);
    else page.push(column);
  }
  return pages.map((page) => columns.filter((column) => column.isAnchor || page.includes(column)));
}

const isEarly = ({ isLast }: { readonly isLast?: boolean }): boolean => isLast !== true;

/** Lines of a table: the header, then a line for each row; columns as wide as they need to be. */
export function tableLines<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))));
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, index) => {
        const width = widths[index] ?? 0;
        return columns[index]?.isLeft === true ? text.padEnd(width) : text.padStart(width);
      })
      .join(" ")
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...cells.map(line)];
}

/** Names come from other machines: nothing in them shall steer a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, "?");
}

/** As much of the line as fits. */
export function cut(line: string, width: number): string {
  return line.length <= width ? line : line.slice(0, Math.max(0, width));
}

/** The whole line, in as many lines as are needed: broken behind a comma if it can be, and indented from the second on. */
export function wrapped(line: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  const margin = " ".repeat(2 * indent < width ? indent : 0);
  let rest = line;
  while (rest.length > width && width > margin.length) {
    const head = rest.slice(0, width + 1);
    const comma = head.lastIndexOf(", ") + 1;
    const blank = head.lastIndexOf(" ");
    const from = lines.length === 0 ? 0 : margin.length;
    const end = [comma, blank].find((place) => place > from + (width - from) / 4) ?? width;
    lines.push(rest.slice(0, end).trimEnd());
    rest = margin + rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

/** Parts one after the other, in as many lines as are needed; the lines after the first are indented. */
export function flow(parts: readonly string[], width: number, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if (line !== "" && longer.length > width) {
      lines.push(line);
      line = " ".repeat(indent) + part;
    } else line = longer;
  }
  return [...lines, line];
}
