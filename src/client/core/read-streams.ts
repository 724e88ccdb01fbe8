import type { Span } from "./dirty-extents.js";

/** One reader that goes through the file. */
interface ReadStream {
  /** Where the next read is expected. */
  next: number;
  /** Reads in sequence so far. */
  count: number;
  /** How far ahead of the reader is read. */
  windowBytes: number;
  /** Everything before was asked for already. */
  aheadEnd: number;
}

/** The window of a reader that was just found to be one. */
const WINDOW_BYTES_MIN = 512 << 10;
export const WINDOW_BYTES_MAX = 8 << 20;
/** Readers through one file that are told apart. */
const STREAMS_MAX = 8;
/** Reads in sequence that make a reader. One that begins with the file counts at once. */
const COUNT_MIN = 2;
/** Parts that a kernel asks for at once may arrive in any order, so far apart. */
const DISORDER_BYTES = 1 << 20;

/**
 * Finds readers in sequence among all reads of a file, and says what is worth reading ahead of them: more and more the
 * longer they go on, nothing for reads at random.
 */
export class ReadStreams {
  /** The one that read last comes last. */
  readonly #streams: ReadStream[] = [];
  #lastBegin = -1;
  #lastEnd = -1;

  /**
   * A read of the range begins. Returns what should be on its way from now on, and was not returned before. The same again is the
   * same read, tried once more.
   */
  note(begin: number, end: number): Span | undefined {
    if (begin === this.#lastBegin && end === this.#lastEnd) return undefined;
    this.#lastBegin = begin;
    this.#lastEnd = end;
    const stream = this.#find(begin, end) ?? this.#begin(begin);
    if (begin >= stream.next || stream.count === 0) {
      stream.count++;
      stream.next = Math.max(stream.next, end);
    }
    const isReader = stream.count >= COUNT_MIN || begin === 0;
    if (!isReader) return undefined;
    // Half of the window is left: nothing is gained by asking for more in small steps.
    if (stream.aheadEnd - stream.next > stream.windowBytes / 2) return undefined;
    const from = Math.max(stream.aheadEnd, begin);
    stream.windowBytes = Math.min(WINDOW_BYTES_MAX, Math.max(2 * stream.windowBytes, WINDOW_BYTES_MIN));
    stream.aheadEnd = stream.next + stream.windowBytes;
    return { begin: from, end: stream.aheadEnd };
  }

  /** What was read ahead is of no use any more. */
  reset(): void {
    this.#streams.length = 0;
    this.#lastBegin = -1;
  }

  #find(begin: number, end: number): ReadStream | undefined {
    const position = this.#streams.findLastIndex(({ next, count }) => {
      if (begin === next) return true;
      // A reader may leave a little out, or come back to it.
      return count > COUNT_MIN && begin <= next + DISORDER_BYTES && end > next - DISORDER_BYTES;
    });
    const [stream] = position < 0 ? [] : this.#streams.splice(position, 1);
    if (stream !== undefined) this.#streams.push(stream);
    return stream;
  }

  #begin(begin: number): ReadStream {
    if (this.#streams.length >= STREAMS_MAX) this.#streams.shift();
    const stream: ReadStream = { next: begin, count: 0, windowBytes: 0, aheadEnd: 0 };
    this.#streams.push(stream);
    return stream;
  }
}
