import { CommanderError } from "commander";
import { StorageError } from "../base/index.js";

/** The one line a failed command prints about what was thrown. */
export function errorLine(error: unknown): string {
  if (error instanceof StorageError)
    return oneLine(error.failure.detail || error.failure.code.replaceAll("_", " "));
  if (error instanceof CommanderError) return oneLine(error.message.replace(/^error: /, ""));
  return oneLine(error instanceof Error ? error.message : String(error));
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, "; ");
}
