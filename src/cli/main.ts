import { runCommandLine } from "./program.js";
import { processTerminal } from "./terminal.js";

/** `pstorage` and `vstorage`. */
const status = await runCommandLine(process.argv.slice(2), processTerminal());
// What was printed goes out before the process ends; a connection that lingers does not keep it.
process.stdout.write("", () => process.exit(status));
