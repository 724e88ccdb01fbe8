import { runReportProgram } from "./report/report-program.js";

await runReportProgram();
