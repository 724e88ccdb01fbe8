import type { Socket } from "node:net";
import { createInterface, type Interface } from "node:readline";

/** The lines that come over a connection. An error of the connection is told by the connection only. */
export function linesOf(socket: Socket): Interface {
  const lines = createInterface({ input: socket });
  lines.on("error", () => undefined);
  return lines;
}
