import type { LogFields, Logger, LogLevel } from "./logger.js";

/** A log line as data. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger for tests and the simulator: remembers its lines, and may fail the run on an `error` line. */
export interface MemoryLogger extends Logger {
  /** Shared by all children, oldest first. */
  readonly lines: readonly LogLine[];
}

export interface MemoryLoggerOptions {
  /** Called with each line as it is written; may throw to fail the run. */
  readonly onLine?: (line: LogLine) => void;
  /** Only the last so many lines are kept; default 10,000. */
  readonly lineCountMax?: number;
}

export function memoryLogger(options: MemoryLoggerOptions = {}): MemoryLogger {
  const lines: LogLine[] = [];
  const lineCountMax = options.lineCountMax ?? 10_000;
  const write = (line: LogLine): void => {
    lines.push(line);
    if (lines.length > lineCountMax) lines.shift();
    options.onLine?.(line);
  };
  return loggerOver(write, lines, {});
}

/** An `onLine` that turns every `error` line into a thrown error. */
export function failOnErrorLine(line: LogLine): void {
  if (line.level !== "error") return;
  throw new Error(`error line in the log: ${line.message} ${describeFields(line.fields)}`, {
    cause: line.fields["error"],
  });
}

function loggerOver(
  write: (line: LogLine) => void,
  lines: readonly LogLine[],
  bound: LogFields,
): MemoryLogger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      write({ level, message, fields: { ...bound, ...fields } });
  return {
    lines,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => loggerOver(write, lines, { ...bound, ...fields }),
  };
}

/** Fields on one line, for people. */
export function describeFields(fields: LogFields): string {
  return JSON.stringify(fields, (_key, value: unknown) => {
    if (typeof value === "bigint") return value.toString();
    return value instanceof Error ? value.message : value;
  });
}
