import { storageError, toUtf8 } from "../../base/index.js";

/** A path as a user gives it: text in UTF-8, or bytes. Always from the root of the cluster's file system. */
export type Path = string | Uint8Array;

const SLASH = 0x2f;

/** The components of a path, without empty ones. Throws `invalid` for what no path may contain. */
export function componentsOf(path: Path): Uint8Array[] {
  const bytes = typeof path === "string" ? toUtf8(path) : path;
  if (bytes.includes(0)) throw storageError("invalid", "a path holds no NUL");
  const components: Uint8Array[] = [];
  let begin = 0;
  for (let i = 0; i <= bytes.length; i++) {
    if (i < bytes.length && bytes[i] !== SLASH) continue;
    if (i > begin) components.push(bytes.slice(begin, i));
    begin = i + 1;
  }
  return components;
}

/** An absolute path of these components. */
export function joinPath(components: readonly Uint8Array[]): Uint8Array {
  if (components.length === 0) return Uint8Array.of(SLASH);
  const result = new Uint8Array(components.reduce((sum, { length }) => sum + 1 + length, 0));
  let end = 0;
  for (const component of components) {
    result[end] = SLASH;
    result.set(component, end + 1);
    end += 1 + component.length;
  }
  return result;
}

/** The path of the directory, and the name in it. Throws `exists`-like failures for the root, which has no name. */
export function splitPath(path: Path): { readonly directory: Uint8Array; readonly name: Uint8Array } {
  const components = componentsOf(path);
  const name = components.pop();
  if (name === undefined) throw storageError("invalid", "the root directory has no name");
  const isDots = name.length <= 2 && name.every((byte) => byte === 0x2e);
  if (isDots) throw storageError("invalid", "`.` and `..` cannot be made, moved or removed");
  return { directory: joinPath(components), name };
}
