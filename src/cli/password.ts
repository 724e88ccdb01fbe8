import { concatBytes, fromUtf8, storageError } from "../base/index.js";
import type { Terminal } from "./terminal.js";

const SIZE_BYTES_MAX = 4096;

export interface PasswordOptions {
  /** `-P`: read it from standard input. */
  readonly fromInput: boolean;
  /** A new one is asked for twice. */
  readonly isNew: boolean;
}

/** The cluster password, from the terminal or from standard input (where one newline at the end does not count). */
export async function readPassword(
  terminal: Terminal,
  { fromInput, isNew }: PasswordOptions,
): Promise<string> {
  const password = fromInput ? await readInput(terminal) : await ask(terminal, isNew);
  if (password === "") throw storageError("invalid", "the cluster password is empty; give one");
  return password;
}

async function readInput(terminal: Terminal): Promise<string> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of terminal.read()) {
    parts.push(part);
    sizeBytes += part.length;
    if (sizeBytes > SIZE_BYTES_MAX)
      throw storageError("invalid", `the cluster password is too long; ${SIZE_BYTES_MAX} bytes are the most`);
  }
  return fromUtf8(concatBytes(...parts)).replace(/\r?\n$/, "");
}

async function ask(terminal: Terminal, isNew: boolean): Promise<string> {
  const password = await terminal.askSecret("Cluster password: ");
  if (isNew && (await terminal.askSecret("The same again: ")) !== password) {
    throw storageError("invalid", "the two passwords are not the same; try again");
  }
  return password;
}
