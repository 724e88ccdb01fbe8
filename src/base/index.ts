/** The only drawer: no domain, no I/O. */
export { AssertionError, assert, defined, unreachable } from "./assert.js";
export { BoundedQueue } from "./bounded-queue.js";
export {
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  fromLatin1,
  fromUtf8,
  toHex,
  toLatin1,
  toUtf8,
} from "./bytes.js";
export { crc32 } from "./crc32.js";
export { crc32Append } from "./crc32-append.js";
export {
  type Errno,
  FAILURES,
  type Failure,
  type FailureCode,
  failureOf,
  type GrpcStatus,
  isFailureCode,
  StorageError,
  storageError,
} from "./failure.js";
export type { Brand } from "./ids.js";
export { Prng } from "./prng.js";
