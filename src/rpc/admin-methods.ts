import type {
  AddChunkServer,
  AddMds,
  ChunkServerAdded,
  ChunkServerRemoval,
  ClusterStatus,
  Config,
  ConfigEntry,
  Events,
  GetEvents,
  MdsAdded,
  RemoveChunkServer,
  RemoveMds,
  SetConfig,
} from "../meta/index.js";
import { messageCodec } from "./codec.js";
import * as wire from "./gen/messages.js";
import type { Codec, UnaryMethod } from "./transport.js";

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
  removeMds: method<RemoveMds, Empty>("RemoveMds", messageCodec(wire.RemoveMds), EMPTY),
} as const;

function method<Request, Reply>(
  name: string,
  request: Codec<Request>,
  reply: Codec<Reply>,
): UnaryMethod<Request, Reply> {
  return { path: `/pstorage.Admin/${name}`, request, reply };
}
