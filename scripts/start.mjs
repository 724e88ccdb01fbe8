/** `npm start`: set-up, then a local cluster in the foreground. Arguments go to `pstorage lab up`. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

setup();
const child = spawn(
  process.execPath,
  [join(root, "bin/pstorage.js"), "lab", "up", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
  },
);
// Ctrl-C reaches the whole process group: the lab stops in order, and this waits for it.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 0)));
