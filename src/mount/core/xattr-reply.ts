import { storageError } from "../../base/index.js";

/** What a getxattr or listxattr is answered: the bytes, or with a buffer of size 0 only how many there are. */
export type XattrReply =
  | { readonly type: "size"; readonly sizeBytes: number }
  | { readonly type: "value"; readonly value: Uint8Array };

/** `bufferBytes` is the caller's buffer; too small a one is ERANGE. */
export function xattrReply(value: Uint8Array, bufferBytes: number): XattrReply {
  if (bufferBytes === 0) return { type: "size", sizeBytes: value.length };
  if (value.length > bufferBytes) throw storageError("out_of_range");
  return { type: "value", value };
}

/** The names one after the other, each with its closing NUL, as listxattr has them. */
export function joinNames(names: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(names.reduce((sum, name) => sum + name.length + 1, 0));
  let offset = 0;
  for (const name of names) {
    result.set(name, offset);
    offset += name.length + 1;
  }
  return result;
}
