/** Writes the manual pages of all programs to man/ (or the directory that is named), out of the built definitions of their commands. */
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

setup();
const { writeManPages } = await import("../dist/cli/manual/manual-program.js");
writeManPages(process.argv[2] ?? join(root, "man"));
