/**
 * `npm start`: set-up, then a local cluster in the foreground, mounted at ./mnt unless --mount says otherwise or
 * `--no-mount` is given. Other arguments go to `pstorage lab up`.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

setup();
const given = process.argv.slice(2);
const args = given.filter((argument) => argument !== "--no-mount");
if (args.length === given.length && !args.some((argument) => argument.startsWith("--mount"))) {
  args.push("--mount", "mnt");
}
const child = spawn(process.execPath, [join(root, "bin/pstorage.js"), "lab", "up", ...args], {
  cwd: root,
  stdio: "inherit",
});
// Ctrl-C reaches the whole process group: the lab stops in order, and this waits for it.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 0)));
