/** The world as interfaces. `io/real` implements them for daemons, `test/sim` for the simulator. */
export type { Clock, Timer } from "./clock.js";
export type { Disk, DiskFile, DiskSpace } from "./disk.js";
export type { Kv, KvChange, KvEntry, KvRange } from "./kv.js";
export type { Connection, DataHandler, Listener, Net } from "./net.js";
export type { Random } from "./random.js";
export { StreamReader, type StreamReaderEvents, uint32 } from "./stream-reader.js";
