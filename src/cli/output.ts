/** How the command line prints sizes, durations, tables, and reads numbers. */
import { storageError } from "../base/index.js";

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** As the original prints sizes: `105GB`, `1.5TB`; three digits are enough. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = unit === 0 || value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(1);
  return `${text}${UNITS[unit]}`;
}

/** `12d 3h`, `3h 5m`, `5m 12s`, `12s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return "0s";
  return parts
    .slice(first, first + 2)
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value}${unit}`)
    .join(" ");
}

export function formatPercent(part: number, whole: number): string {
  return `${whole === 0 ? 0 : Math.round((100 * part) / whole)}%`;
}

export interface Column {
  readonly title: string;
  readonly alignRight?: boolean;
}

/** Lines of a table, columns as wide as they need to be. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return columns[index]?.alignRight === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(" ")
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

/** `20G`, `512m`, `1000` to bytes; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)([kmgtp]?)(?:i?b)?$/i.exec(text.trim());
  if (found === null) return undefined;
  const exponent = "kmgtp".indexOf((found[2] ?? "").toLowerCase()) + 1;
  const bytes = Number(found[1]) * 1024 ** (found[2] === "" ? 0 : exponent);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `1025`, `CS#1025` or `cs#1025` to the number. */
export function parseId(kind: "MDS" | "CS", text: string): number {
  const [, digits] = new RegExp(`^(?:${kind}#)?(\\d{1,9})$`, "i").exec(text) ?? [];
  if (digits !== undefined && Number(digits) > 0) return Number(digits);
  throw storageError("invalid", `"${text}" is no ${kind}ID; stat shows them`);
}

/** A count after an option. */
export function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw storageError("invalid", `"${text}" is no number; give digits`);
}

/** Moment of wall-clock time in this machine's time zone: `2024-05-17 09:30:01`. */
export function formatTime(wallMs: number): string {
  const date = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
