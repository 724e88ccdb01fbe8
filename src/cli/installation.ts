import { fileURLToPath } from "node:url";

/**
 * The path of a file of the package that this program is part of. This module lies two levels below the package's root, in `src/` as
 * well as where it is bundled (scripts/bundle.mjs).
 */
export function installedPath(name: string): string {
  return fileURLToPath(new URL(`../../${name}`, import.meta.url));
}
