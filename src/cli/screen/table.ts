/** What decides the place of a row; numbers are ordered by size, texts by letters. */
export type SortValue = number | string;

/** A column of a table of rows of one kind. */
export interface TableColumn<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** What the column is sorted by. */
  readonly value: (row: Row) => SortValue;
  readonly isLeft?: boolean;
}

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
