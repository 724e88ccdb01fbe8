import { runMountProgram } from "./mount/mount-program.js";

await runMountProgram();
