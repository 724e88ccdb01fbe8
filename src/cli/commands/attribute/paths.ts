import { storageError } from "../../../base/index.js";

/** Without mounts, a path can only be meant from the root of the cluster. */
export function requireClusterPath(path: string, isClusterPath: boolean | undefined): void {
  if (isClusterPath === true) return;
  throw storageError(
    "invalid",
    `${path} is not on a mount of a cluster; use -p with a path from the root of the cluster`,
  );
}
