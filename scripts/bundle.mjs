/**
 * Joins what tsc made in `build/` to a few files in `dist/`: a program that loads hundreds of modules one by one takes three times as
 * long to start as one that loads a handful (docs/decisions/0009-bundled-programs.md). Packages stay where they are.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rollup } from "rollup";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What is loaded by its path: by bin/, by other packages, by scripts. */
const ENTRIES = [
  "cli/main",
  "cli/csd-service",
  "cli/mdsd-service",
  "cli/mount-service",
  "cli/report-service",
  "cli/flush-check-service",
  "cli/manual/manual-program",
  "mds/main",
  "cs/main",
  "mount/main",
  "client/connect",
];

const bundle = await rollup({
  input: Object.fromEntries(ENTRIES.map((entry) => [entry, join(root, "build", `${entry}.js`)])),
  external: (id) => !id.startsWith(".") && !id.startsWith("/"),
  onwarn: (warning) => {
    // Functions that call each other across files; nothing runs while modules are loaded.
    if (warning.code === "CIRCULAR_DEPENDENCY") return;
    throw new Error(warning.message);
  },
});
await bundle.write({
  dir: join(root, "dist"),
  format: "es",
  entryFileNames: "[name].js",
  // Two levels below the root of the package, as src/cli/installation.ts says.
  chunkFileNames: "chunks/[name]-[hash].js",
});
await bundle.close();
