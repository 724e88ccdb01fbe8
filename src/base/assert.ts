/** A broken invariant: a bug in this program. The daemon dies of it; state is recovered from disk. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Programmer errors only. On in production. `sentence` states what must be true. */
export function assert(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new AssertionError(sentence);
}

/** The value, which the caller knows to be there; `sentence` says why it must be. */
export function defined<T>(value: T | undefined | null, sentence: string): T {
  if (value === undefined || value === null) throw new AssertionError(sentence);
  return value;
}

/** Closes a switch over a union: it does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected ${JSON.stringify(value)}`);
}
