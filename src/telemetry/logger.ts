/** Facts of a log line: names from the glossary, units last. Never keys, tokens or user bytes. */
export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = "debug" | "info" | "warn" | "error";

/**
 * Where a daemon tells what happens to it. Messages are constant sentences, facts go into the fields; an
 * `error` field shows its stack.
 *
 * `error` = a person must act; `warn` = will become error if it goes on; `info` = a state change an operator
 * wants in a quiet day's log; `debug` = everything else.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each of its lines. */
  child(fields: LogFields): Logger;
}

/** Says nothing. */
export const noopLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => noopLogger,
};
