import { storageError } from "../base/index.js";
import type { EventRecord } from "../meta/index.js";

/** Which events somebody wants to see. */
export interface EventFilter {
  /** That one and worse ones. */
  readonly severity?: Severity | undefined;
  /** None: all of them. */
  readonly systems?: readonly string[] | undefined;
  /** Not earlier than that. */
  readonly sinceMs?: number | undefined;
}

const SEVERITIES = ["info", "warn", "err"] as const;
const RANKS: Readonly<Record<string, number>> = { info: 0, warn: 1, err: 2 };
const SYSTEMS: readonly string[] = ["MDS", "JRN", "CS", "CLN"];

export type Severity = (typeof SEVERITIES)[number];

export function isWanted(event: EventRecord, { severity, systems, sinceMs }: EventFilter): boolean {
  const rank = (word: string): number => RANKS[word] ?? 0;
  if (severity !== undefined && rank(event.severity) < rank(severity)) return false;
  if (systems !== undefined && !systems.includes(event.system)) return false;
  return sinceMs === undefined || event.wallMs >= sinceMs;
}

/** Throws `invalid` for a word that is none. */
export function parseSeverity(text: string): Severity {
  const found = SEVERITIES.find((word) => word === text.toLowerCase());
  if (found === undefined) throw storageError("invalid", `a severity is one of ${SEVERITIES.join(", ")}`);
  return found;
}

/** `CS,MDS` */
export function parseSystems(text: string): readonly string[] {
  const systems = text.split(",").map((part) => part.trim().toUpperCase());
  if (systems.every((system) => SYSTEMS.includes(system))) return systems;
  throw storageError("invalid", `the subsystems are ${SYSTEMS.join(", ")}; give some, separated by commas`);
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30m`, `2h`, `1d` ago, or a moment as `2024-05-17` or `2024-05-17 09:30[:01]`, in this machine's time zone. */
export function parseSince(text: string, nowMs: number): number {
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * (UNITS[ago[2] ?? ""] ?? 0);
  const moment = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?))?$/.exec(text);
  const wallMs = moment === null ? Number.NaN : Date.parse(`${moment[1]}T${moment[2] ?? "00:00"}`);
  if (!Number.isNaN(wallMs)) return wallMs;
  throw storageError("invalid", `"${text}" is no moment; give 30m, 2h, 1d, or YYYY-MM-DD HH:MM:SS`);
}
