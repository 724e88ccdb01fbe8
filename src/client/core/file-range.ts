import { storageError } from "../../base/index.js";
import { FILE_BYTES_MAX } from "../../meta/index.js";

/** Fails with `invalid` or `file_too_large` unless that is a range inside some file. */
export function checkRange(offset: number, lengthBytes: number): void {
  const isRange =
    Number.isInteger(offset) && Number.isInteger(lengthBytes) && offset >= 0 && lengthBytes >= 0;
  if (!isRange) throw storageError("invalid", "not a range of a file");
  if (offset + lengthBytes > FILE_BYTES_MAX) throw storageError("file_too_large");
}
