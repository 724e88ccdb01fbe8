import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the messages are that `kernel-messages.c` prints. */
export const GOLDEN_PATH = fileURLToPath(new URL("../../../golden/fuse-wire.txt", import.meta.url));

/** The messages of the golden file, by name. */
export function goldenMessages(): ReadonlyMap<string, Buffer> {
  const messages = new Map<string, Buffer>();
  for (const line of readFileSync(GOLDEN_PATH, "utf8").split("\n")) {
    const [name, hex] = line.split(" ");
    if (name !== undefined && hex !== undefined) messages.set(name, Buffer.from(hex, "hex"));
  }
  return messages;
}

/** The message of that name. */
export function goldenMessage(name: string): Buffer {
  const message = goldenMessages().get(name);
  if (message === undefined) throw new Error(`no message ${name} in ${GOLDEN_PATH}`);
  return message;
}
