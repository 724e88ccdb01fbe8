import { runServiceProgram } from "./service-program.js";

await runServiceProgram("mds");
