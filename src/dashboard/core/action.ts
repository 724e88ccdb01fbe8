import { storageError } from "../../base/index.js";

/** What can be done from a page. */
export type Action =
  | { readonly type: "scrub" /** 0: all. */; readonly csId: number }
  | { readonly type: "release"; readonly csId: number }
  | { readonly type: "keep"; readonly csId: number }
  | { readonly type: "set-config"; readonly name: string; readonly value: string }
  | { readonly type: "revoke"; readonly path: string };

const ID_MAX = 0xffff_ffff;
const TEXT_MAX = 4096;

/** What a page sent. Throws `invalid`, with what is wrong in words. */
export function parseAction(value: unknown): Action {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const { type } = fields;
  switch (type) {
    case "scrub":
      return { type, csId: idOf(fields["csId"], 0) };
    case "release":
    case "keep":
      return { type, csId: idOf(fields["csId"], 1) };
    case "set-config":
      return { type, name: textOf(fields["name"], "name"), value: textOf(fields["value"], "value") };
    case "revoke":
      return { type, path: textOf(fields["path"], "path") };
    default:
      throw storageError("invalid", "there is no such action");
  }
}

function idOf(value: unknown, min: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= ID_MAX) return value;
  throw storageError("invalid", "which chunk server?");
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "" && value.length <= TEXT_MAX) return value;
  throw storageError("invalid", `the ${name} is missing`);
}
