/** The vocabulary of metadata: inodes, attributes, leases, and what is asked and answered about them. */
export * from "./admin.js";
export * from "./attributes.js";
export * from "./coherence.js";
export * from "./early-changes.js";
export * from "./file-batches.js";
export * from "./ids.js";
export * from "./locks.js";
export * from "./new-inode.js";
export * from "./requests.js";
export * from "./settlements.js";
