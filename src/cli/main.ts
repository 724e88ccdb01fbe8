import { setFlagsFromString } from "node:v8";
import { runCommandLine } from "./program.js";
import { processTerminal } from "./terminal.js";

// Files that pass through are garbage outside V8's tiny heap, which it would collect all the time (docs/benchmarks.md).
setFlagsFromString("--heap-growing-percent=1000");

/** `pstorage` and `vstorage`. */
const status = await runCommandLine(process.argv.slice(2), processTerminal());
// What was printed goes out before the process ends; a connection that lingers does not keep it.
process.stdout.write("", () => process.exit(status));
