import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServiceKind } from "../../../src/cli/host-files.js";
import type { Lab } from "../../../src/cli/lab/lab.js";

/** The lines with that message in the log of a daemon, as objects, oldest first. */
export async function logLines(
  lab: Lab,
  kind: ServiceKind,
  host: number,
  message: string,
): Promise<Record<string, unknown>[]> {
  const { directory } = await lab.service(kind, host);
  const text = await readFile(join(directory, "logs", "log"), "utf8").catch(() => "");
  return text.split("\n").flatMap((line) => {
    if (!line.includes(message)) return [];
    const fields: unknown = JSON.parse(line);
    const isObject = typeof fields === "object" && fields !== null;
    return isObject && "msg" in fields && fields.msg === message ? [fields as Record<string, unknown>] : [];
  });
}
