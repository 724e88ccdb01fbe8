import { describeFields, type LogFields, type Logger } from "../../../src/telemetry/index.js";
import type { Simulator } from "../world/index.js";
import type { Violations } from "./violations.js";

/** Lines go to the trace; an `error` line fails the run. */
export function simLog(simulator: Simulator, node: string, violations: Violations): Logger {
  return loggerOver(simulator, node, violations, {});
}

function loggerOver(simulator: Simulator, node: string, violations: Violations, bound: LogFields): Logger {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      const all = { ...bound, ...fields };
      if (simulator.isTraced) simulator.note(node, `${level}: ${message} ${describeFields(all)}`);
      if (level !== "error") return;
      const { error } = all;
      const stack = error instanceof Error ? `\n${error.stack}` : "";
      violations.add("error line in the log", `${node}: ${message} ${describeFields(all)}${stack}`);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => loggerOver(simulator, node, violations, { ...bound, ...fields }),
  };
}
