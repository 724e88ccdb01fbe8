import { type FailureCode, failureOf, storageError } from "../../base/index.js";

/** What the failures of file operations are called in the sentences of a command line. */
const WORDS: Partial<Record<FailureCode, string>> = {
  not_found: "no such file or directory",
  exists: "it exists already",
  not_directory: "not a directory",
  is_directory: "is a directory",
  not_empty: "the directory is not empty",
  name_too_long: "the name is too long",
  symlink_loop: "too many symbolic links",
  lease_conflict: "another client is writing it",
  too_many_links: "too many links",
};

/** The result; a failure is told with the path it is about. */
export async function about<T>(path: string | Uint8Array, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw withPath(path, error);
  }
}

/** The same failure, with the path in its sentence. What is no failure of ours stays as it is. */
export function withPath(path: string | Uint8Array, error: unknown): unknown {
  const failure = failureOf(error);
  if (failure === undefined) return error;
  const why =
    WORDS[failure.code] ?? (failure.detail === "" ? failure.code.replaceAll("_", " ") : failure.detail);
  return storageError(failure.code, `${shownPath(path)}: ${why}`, error);
}

/** Bytes that are no text are shown as replacement characters. */
export function shownPath(path: string | Uint8Array): string {
  return typeof path === "string" ? path : Buffer.from(path).toString();
}
