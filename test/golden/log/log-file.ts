import { gunzipSync, gzipSync } from "node:zlib";

/** Of one entry of the log that has a command. */
export interface LoggedCommand {
  readonly index: number;
  readonly data: Uint8Array;
}

const HEADER_BYTES = 8;

/** As README.txt tells. */
export function encodeLog(commands: readonly LoggedCommand[]): Uint8Array {
  const parts = commands.flatMap(({ index, data }) => {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(index, 0);
    header.writeUInt32LE(data.length, 4);
    return [header, data];
  });
  return gzipSync(Buffer.concat(parts), { level: 9 });
}

export function decodeLog(file: Uint8Array): LoggedCommand[] {
  const bytes = gunzipSync(file);
  const commands: LoggedCommand[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const index = bytes.readUInt32LE(offset);
    const start = offset + HEADER_BYTES;
    offset = start + bytes.readUInt32LE(offset + 4);
    commands.push({ index, data: new Uint8Array(bytes.subarray(start, offset)) });
  }
  return commands;
}
