import type {
  AddChunkServer,
  AddMds,
  BeginScrub,
  ChunkInfo,
  ChunkInfos,
  ChunkServerAdded,
  ChunkServerRemoval,
  ClusterStatus,
  Config,
  ConfigEntry,
  Events,
  FileLeases,
  GetChunk,
  GetEvents,
  GetFileChunks,
  GetFileLeases,
  MdsAdded,
  MdsLoad,
  RecoveryStatus,
  RemoveChunkServer,
  RemoveMds,
  RepairPreview,
  ScrubBegun,
  ScrubStatus,
  SetConfig,
} from "../meta/index.js";
import { messageCodec } from "./codec.js";
import * as wire from "./gen/messages.js";
import type { Codec, StreamMethod, UnaryMethod } from "./transport.js";

/** A message without fields. */
type Empty = Readonly<Record<string, never>>;

const EMPTY = messageCodec<Empty>(wire.Empty);

/** What operators ask of the leading MDS. Any other MDS answers `not_leader`. */
export const ADMIN = {
  getStatus: method<Empty, ClusterStatus>("GetStatus", EMPTY, messageCodec(wire.ClusterStatus)),
  getConfig: method<Empty, Config>("GetConfig", EMPTY, messageCodec(wire.Config)),
  setConfig: method<SetConfig, ConfigEntry>(
    "SetConfig",
    messageCodec(wire.SetConfig),
    messageCodec(wire.ConfigEntry),
  ),
  getEvents: method<GetEvents, Events>("GetEvents", messageCodec(wire.GetEvents), messageCodec(wire.Events)),
  addChunkServer: method<AddChunkServer, ChunkServerAdded>(
    "AddChunkServer",
    messageCodec(wire.AddChunkServer),
    messageCodec(wire.ChunkServerAdded),
  ),
  removeChunkServer: method<RemoveChunkServer, ChunkServerRemoval>(
    "RemoveChunkServer",
    messageCodec(wire.RemoveChunkServer),
    messageCodec(wire.ChunkServerRemoval),
  ),
  addMds: method<AddMds, MdsAdded>("AddMds", messageCodec(wire.AddMds), messageCodec(wire.MdsAdded)),
  getRecovery: method<Empty, RecoveryStatus>("GetRecovery", EMPTY, messageCodec(wire.RecoveryStatus)),
  /** Any MDS answers that, whether it leads or not. */
  getMdsLoad: method<Empty, MdsLoad>("GetMdsLoad", EMPTY, messageCodec(wire.MdsLoad)),
  removeMds: method<RemoveMds, Empty>("RemoveMds", messageCodec(wire.RemoveMds), EMPTY),
  beginScrub: method<BeginScrub, ScrubBegun>(
    "BeginScrub",
    messageCodec(wire.BeginScrub),
    messageCodec(wire.ScrubBegun),
  ),
  getScrubStatus: method<Empty, ScrubStatus>("GetScrubStatus", EMPTY, messageCodec(wire.ScrubStatus)),
  getChunk: method<GetChunk, ChunkInfo>(
    "GetChunk",
    messageCodec(wire.GetChunk),
    messageCodec(wire.ChunkInfo),
  ),
  getFileChunks: method<GetFileChunks, ChunkInfos>(
    "GetFileChunks",
    messageCodec(wire.GetFileChunks),
    messageCodec(wire.ChunkInfos),
  ),
  getFileLeases: method<GetFileLeases, FileLeases>(
    "GetFileLeases",
    messageCodec(wire.GetFileLeases),
    messageCodec(wire.FileLeases),
  ),
  previewRepairs: method<Empty, RepairPreview>("PreviewRepairs", EMPTY, messageCodec(wire.RepairPreview)),
} as const;

/** `backup`: one empty request; then a header, data, and the end. */
export const BACKUP: StreamMethod<Empty, wire.BackupPart> = {
  path: "/pstorage.Admin/Backup",
  up: EMPTY,
  down: messageCodec(wire.BackupPart),
};

function method<Request, Reply>(
  name: string,
  request: Codec<Request>,
  reply: Codec<Reply>,
): UnaryMethod<Request, Reply> {
  return { path: `/pstorage.Admin/${name}`, request, reply };
}
