import { runFlushProgram } from "./flush-check/flush-program.js";

await runFlushProgram();
