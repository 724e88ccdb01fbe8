import { gzipSync } from "node:zlib";
import pino from "pino";
import { LOG_BYTES_MAX, LogRotation } from "./log-rotation.js";
import type { LogFields, Logger, LogLevel } from "./logger.js";

const RANK: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 };

/** Lines that could not be written wait for the next one, up to so many bytes. */
const BACKLOG_BYTES_MAX = 1024 * 1024;

export interface LogOptions {
  /** A file, made if missing with its directory, or `stderr`. A name that ends in `.gz` is compressed (zcat reads it). */
  readonly destination: string;
  readonly level: LogLevel;
  /** In every line: `daemon`, `nodeId`. */
  readonly fields?: LogFields;
  /** A file that has grown so large is moved aside, and of older parts four are kept. Default 64 MiB. */
  readonly bytesMax?: number;
}

/** The log of a daemon: JSON lines with `time`, `level`, the fields and `msg`. */
export interface DaemonLog {
  readonly logger: Logger;
  /** At once, for all children too. */
  setLevel(level: LogLevel): void;
  /** After the file was rotated away: goes on in a new file of the same name. */
  reopen(): void;
  /** Resolves when every line is handed to the kernel. */
  close(): Promise<void>;
}

interface Sink {
  write(line: string | Uint8Array): unknown;
}

type Destination = ReturnType<typeof pino.destination>;

export function openLog(options: LogOptions): DaemonLog {
  const toFile = options.destination !== "stderr";
  const isCompressed = options.destination.endsWith(".gz");
  const destination = pino.destination({
    ...(isCompressed ? { contentMode: "buffer" } : {}),
    dest: toFile ? options.destination : 2,
    mkdir: toFile,
    // Synchronous, so that the last lines before a crash are there; a quiet log costs little.
    sync: true,
    maxLength: BACKLOG_BYTES_MAX,
  });
  // A full log disk must not stop the daemon: lines wait, and are dropped beyond the bound.
  destination.on("error", () => undefined);
  const rotation = toFile
    ? new LogRotation(options.destination, options.bytesMax ?? LOG_BYTES_MAX)
    : undefined;
  const output = rotation === undefined ? destination : rotated(destination, rotation);
  const threshold = { rank: RANK[options.level] };
  const root = pino(
    {
      level: "debug",
      base: options.fields ?? {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    isCompressed ? compressing(output) : output,
  );
  return {
    logger: loggerOver(root, threshold),
    setLevel: (level) => {
      threshold.rank = RANK[level];
    },
    reopen: () => {
      if (rotation === undefined) return;
      rotation.begun();
      destination.reopen();
    },
    close: () => closeDestination(destination, toFile),
  };
}

/** Every line is a gzip file of its own, which may follow one another: what was logged before a crash is there. */
function compressing(output: Sink): pino.DestinationStream {
  return { write: (line) => void output.write(gzipSync(line)) };
}

/** Before a line is written that would make the file too long, the file is moved aside. */
function rotated(destination: Destination, rotation: LogRotation): Sink {
  // With `contentMode: "buffer"` it takes bytes, whatever its declaration says.
  const sink: Sink = destination as never;
  return {
    write: (line) => {
      if (rotation.makeRoom(Buffer.byteLength(line))) destination.reopen();
      sink.write(line);
    },
  };
}

/** The level is looked up in a place shared by all children, because pino's children copy theirs. */
function loggerOver(target: pino.Logger, threshold: { readonly rank: number }): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields?: LogFields): void => {
      if (RANK[level] < threshold.rank) return;
      if (fields === undefined) target[level](message);
      else target[level](fields, message);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => loggerOver(target.child(fields), threshold),
  };
}

function closeDestination(destination: Destination, toFile: boolean): Promise<void> {
  if (!toFile) return Promise.resolve();
  return new Promise((resolve) => {
    destination.once("close", resolve);
    destination.once("error", () => resolve());
    destination.end();
  });
}
