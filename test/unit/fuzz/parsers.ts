import { fromUtf8, type Prng, toUtf8 } from "../../../src/base/index.js";
import { chunkId, chunkVersion, csId } from "../../../src/chunk/index.js";
import {
  decodeCacheEntry,
  decodeCacheHeader,
  encodeCacheEntry,
  encodeCacheHeader,
} from "../../../src/client/core/block-cache-layout.js";
import { Bitmap } from "../../../src/cs/core/bitmap.js";
import { decodeRound, encodeRound, NO_ROUND } from "../../../src/cs/core/scrub-round.js";
import { decodeSlot, encodeSlot } from "../../../src/cs/store/checksum-page.js";
import { decodeIdentity, encodeIdentity } from "../../../src/cs/store/identity.js";
import { decodeRecord, encodeRecord } from "../../../src/cs/store/replica-record.js";
import { decodeRunState, encodeRunState } from "../../../src/cs/store/run-state.js";
import { parseMdsNames } from "../../../src/discovery/index.js";
import { RAFT_PEER } from "../../../src/mds/raft-wire.js";
import { decodeCommand } from "../../../src/mds/store/command-codec.js";
import {
  decodeEntry,
  decodeHardState,
  decodeMeta,
  encodeEntry,
  encodeHardState,
  encodeMeta,
} from "../../../src/mds/store/raft-records.js";
import { inodeNumber } from "../../../src/meta/index.js";
import { raftId } from "../../../src/raft/index.js";
import { decodeGreeting, encodeGreeting } from "../../../src/rpc/channel/data-greeting.js";
import {
  ADMIN,
  BACKUP,
  CHUNK_CHANNEL,
  type Codec,
  ENROLLMENT,
  encodeMessage,
  METADATA_SESSION,
  type MessageType,
  REGISTRY_ATTACH,
  wire,
} from "../../../src/rpc/index.js";
import { protoRoot, randomMessage } from "../rpc/random-message.js";

/** What reads bytes that somebody else wrote. */
export interface Parser {
  readonly name: string;
  /** What it reads in peace; a new one each time, as far as there is a choice. */
  readonly sample: (prng: Prng) => Uint8Array;
  /** Returns, or throws what the reader expects. */
  readonly parse: (bytes: Uint8Array) => unknown;
}

/** The envelopes and messages of every method, each with the codec that maps it to the types of the program. */
const CODECS: readonly (readonly [type: string, codec: Codec<unknown>])[] = [
  ["SessionCallUp", METADATA_SESSION.up as Codec<unknown>],
  ["SessionCallDown", METADATA_SESSION.down as Codec<unknown>],
  ["ChunkCallUp", CHUNK_CHANNEL.up as Codec<unknown>],
  ["ChunkCallDown", CHUNK_CHANNEL.down as Codec<unknown>],
  ["RegistryCallUp", REGISTRY_ATTACH.up as Codec<unknown>],
  ["RegistryCallDown", REGISTRY_ATTACH.down as Codec<unknown>],
  ["BackupPart", BACKUP.down as Codec<unknown>],
  ["EnrollStart", ENROLLMENT.start.request as Codec<unknown>],
  ["EnrollChallenge", ENROLLMENT.start.reply as Codec<unknown>],
  ["EnrollFinish", ENROLLMENT.finish.request as Codec<unknown>],
  ["EnrollResult", ENROLLMENT.finish.reply as Codec<unknown>],
  ["ClusterStatus", ADMIN.getStatus.reply as Codec<unknown>],
  ["SetConfig", ADMIN.setConfig.request as Codec<unknown>],
  ["RaftEnvelope", RAFT_PEER.up as Codec<unknown>],
];

const types = new Map(
  Object.entries(wire).map(([name, type]) => [name, type as unknown as MessageType<object>]),
);

function randomBytesOf(name: string, prng: Prng): Uint8Array {
  const type = types.get(name);
  if (type === undefined) throw new Error(`no message ${name}`);
  return encodeMessage(type, randomMessage(protoRoot.lookupType(`pstorage.${name}`), prng)).slice();
}

const RECORD = {
  chunkId: chunkId(7),
  version: chunkVersion(3),
  chunkBytes: 8 << 20,
  chain: [{ csId: csId(1025), address: "10.0.0.1:2000", hostId: "h", syncing: false }],
  needed: Bitmap.of(1, 3),
  isBehind: true,
  isSuspect: true,
  isHostCrashed: false,
  suspectRegions: Bitmap.of(2),
  dirty: Bitmap.of(1),
  written: Bitmap.of(1, 2, 3),
  history: { since: chunkVersion(1), spans: [{ version: chunkVersion(2), regions: Bitmap.of(1) }] },
};
const MEMBERSHIP = { members: [{ id: raftId(1), address: "10.0.0.1:2510", role: "voter" as const }] };

export const PARSERS: readonly Parser[] = [
  ...CODECS.map(([type, codec]) => ({
    name: `message ${type}`,
    sample: (prng: Prng) => randomBytesOf(type, prng),
    parse: (bytes: Uint8Array) => codec.decode(bytes),
  })),
  {
    name: "command of the Raft log",
    sample: (prng) => randomBytesOf("Command", prng),
    parse: decodeCommand,
  },
  {
    name: "entry of the Raft log",
    sample: (prng) => encodeEntry({ index: 5, term: 2, type: "command", data: prng.bytes(prng.below(200)) }),
    parse: (bytes) => decodeEntry(bytes, 5),
  },
  {
    name: "hard state",
    sample: (prng) => encodeHardState({ term: prng.below(1000), vote: raftId(2), commit: 9 }),
    parse: decodeHardState,
  },
  {
    name: "start of the Raft log",
    sample: () => encodeMeta({ index: 9, term: 2, membership: MEMBERSHIP }),
    parse: decodeMeta,
  },
  { name: "replica record", sample: () => encodeRecord(RECORD), parse: decodeRecord },
  {
    name: "slot of checksums",
    sample: (prng) => encodeSlot(chunkId(7), 1, prng.bytes(1024)),
    parse: (bytes) => decodeSlot(chunkId(7), 1, bytes),
  },
  {
    name: "identity of a chunk server",
    sample: () => encodeIdentity({ clusterId: "c", clusterName: "n", csId: csId(1025), tier: 0 }),
    parse: (bytes) => decodeIdentity(bytes, "identity.json"),
  },
  {
    name: "run state",
    sample: () => encodeRunState({ bootId: "b", incarnation: 4, isClean: true, epoch: 2, runs: ["r"] }),
    parse: decodeRunState,
  },
  {
    name: "round of the scrub",
    sample: () => toUtf8(encodeRound(NO_ROUND)),
    parse: (bytes) => decodeRound(fromUtf8(bytes)),
  },
  {
    name: "greeting of a data channel",
    sample: (prng) => encodeGreeting({ protection: "authenticated", channelId: prng.bytes(16) }),
    parse: decodeGreeting,
  },
  {
    name: "header of a read cache",
    sample: () => encodeCacheHeader({ clusterId: "c", blockCount: 7, bootId: "b", isClosed: true }),
    parse: decodeCacheHeader,
  },
  {
    name: "entry of a read cache",
    sample: (prng) =>
      encodeCacheEntry({
        ino: inodeNumber(2),
        block: prng.below(100),
        chunkId: chunkId(7),
        chunkVersion: chunkVersion(1),
        lengthBytes: 4096,
        checksum: prng.uint32(),
        dataVersion: 3,
      }),
    parse: decodeCacheEntry,
  },
  {
    name: "list of metadata servers",
    sample: () => toUtf8("10.0.0.1:2510, 10.0.0.2 # two\n[::1]:2510\nhost.example\n"),
    parse: (bytes) => parseMdsNames(fromUtf8(bytes)),
  },
];
