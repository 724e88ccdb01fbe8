/** The chunk server: replicas of chunks on one disk, in chains with those of other servers. */
export { ChunkServer, type CsConfig, type CsWorld } from "./chunk-server.js";
export { type CsLimits, DEFAULT_LIMITS } from "./environment.js";
export { createCsRepository, createRepository, refuseExistingCs } from "./repository.js";
export type { CsIdentity } from "./store/identity.js";
export { StorePaths } from "./store/paths.js";
