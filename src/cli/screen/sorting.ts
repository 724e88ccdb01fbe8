import { storageError } from "../../base/index.js";
import type { SortValue, TableColumn } from "./table.js";

/** One key of a sort order. */
export interface SortKey {
  /** Title of the column in small letters, without signs: `iolat`, `rd_ops`. */
  readonly key: string;
  /** The other way round. */
  readonly isInverted: boolean;
}

/** By what a column is named in sort options: `IOLAT(ms)` is `iolat`, `%CPU` is `cpu`. */
export function sortKeyOf({ title }: { readonly title: string }): string {
  return title
    .toLowerCase()
    .replace(/\(.*\)/, "")
    .replace(/[^a-z0-9_]/g, "");
}

/**
 * Reads `KEY[=inv],...`. `id` is the first column. Throws `invalid`, and names the keys there are.
 */
export function parseSortOrder<Row>(text: string, columns: readonly TableColumn<Row>[]): SortKey[] {
  const known = columns.map(sortKeyOf);
  return text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [name = "", ...rest] = part.trim().toLowerCase().split("=");
      const key = name === "id" ? (known[0] ?? "") : name;
      const option = rest.join("=");
      if (!known.includes(key) || (option !== "inv" && option !== "")) {
        throw storageError("invalid", `"${part}" is no sort key; give KEY or KEY=inv of ${known.join(", ")}`);
      }
      return { key, isInverted: option === "inv" };
    });
}

/** The rows in that order; those that are equal stay as they were. */
export function sorted<Row>(
  rows: readonly Row[],
  columns: readonly TableColumn<Row>[],
  order: readonly SortKey[],
): readonly Row[] {
  if (order.length === 0) return rows;
  const by = order.flatMap(({ key, isInverted }) => {
    const column = columns.find((candidate) => sortKeyOf(candidate) === key);
    return column === undefined ? [] : [{ value: column.value, sign: isInverted ? -1 : 1 }];
  });
  return [...rows].sort((a, b) => {
    for (const { value, sign } of by) {
      const difference = compare(value(a), value(b));
      if (difference !== 0) return sign * difference;
    }
    return 0;
  });
}

function compare(a: SortValue, b: SortValue): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}
