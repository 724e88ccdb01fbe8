import { failureOf, fromUtf8, storageError, toUtf8 } from "../base/index.js";
import type { Disk } from "../io/index.js";

/**
 * The directory of one metadata server:
 *
 *     identity.json   which server of which cluster this is; written last, so that a half-made repository is none
 *     genesis.json    only until the first start of the first server: what the cluster shall begin with (secret)
 *     recovery.json   only until the first start after a recovery: which epoch begins, and what it was recovered from
 *     member          there once this server has been a member of the group: its log must be there from then on
 *     raft/           LevelDB: the log of consensus
 *     state/          LevelDB: the metadata
 *     logs/
 */
export interface MdsIdentity {
  readonly formatVersion: 1;
  readonly clusterId: string;
  readonly clusterName: string;
  readonly mdsId: number;
  readonly hostId: string;
  /** `IP:PORT` for other metadata servers; clients and chunk servers use PORT + 1. */
  readonly address: string;
  /** The first server of its cluster: it begins the group alone. */
  readonly isFirst: boolean;
  /** Of others: who was a member when it joined, so that it can answer the leader before it knows the log. */
  readonly peers: readonly MdsPeer[];
  /** Of the group that it was made for; absent: 0. The metadata may be of a higher one. */
  readonly epoch?: number | undefined;
}

export interface MdsPeer {
  readonly mdsId: number;
  readonly address: string;
}

/** What the first server proposes as the first command of the log. */
export interface GenesisFile {
  /** As `auth/` encodes them, in base64. */
  readonly secrets: string;
}

/** What a new repository begins with. */
export interface RepositoryContents {
  readonly genesis?: GenesisFile;
  /** Its stores are there already, by a recovery. */
  readonly isLoaded?: boolean;
}

/** What the first command of a recovered group says. */
export interface RecoveryFile {
  readonly epoch: number;
  /** For people: what the metadata were recovered from. */
  readonly source: string;
}

export async function createMdsRepository(
  disk: Disk,
  directory: string,
  identity: MdsIdentity,
  { genesis, isLoaded = false }: RepositoryContents = {},
): Promise<void> {
  if (!isLoaded) await refuseExisting(disk, directory);
  await disk.makeDirectory(directory, "mds.repository.create", 0o700);
  await disk.makeDirectory(`${directory}/logs`, "mds.repository.create");
  if (genesis !== undefined) {
    await disk.replaceFile(`${directory}/genesis.json`, json(genesis), "mds.repository.genesis", 0o600);
  }
  await disk.replaceFile(`${directory}/identity.json`, json(identity), "mds.repository.identity");
}

/** Throws `exists` if something is there already. A directory that is empty, or holds only logs, is not something. */
export async function refuseExisting(disk: Disk, directory: string): Promise<void> {
  const names = await listIfThere(disk, directory);
  if (names.includes("identity.json")) {
    throw storageError(
      "exists",
      `${directory} already is a repository; choose another directory or remove it`,
    );
  }
  if (names.includes("lost+found")) {
    throw storageError(
      "exists",
      `${directory} holds lost+found; remove that or name a directory below the mount point`,
    );
  }
  if (names.some((name) => name !== "logs")) {
    throw storageError("exists", `${directory} is not empty; choose another directory`);
  }
}

/** What a repository consists of, identity first: without it the rest is none. `logs` stays for whoever asks why. */
const PARTS = [
  "identity.json",
  "genesis.json",
  "recovery.json",
  "member",
  "raft",
  "state",
  // Left behind by a daemon that had to end at once.
  "raft.sock",
  "session.sock",
] as const;

/**
 * Removes what is left of a repository, but for its logs. A directory that holds anything else is not touched: `exists`. One that is
 * not there is success.
 */
export async function wipeMdsRepository(disk: Disk, directory: string): Promise<void> {
  const names = await listIfThere(disk, directory);
  const known: readonly string[] = [...PARTS, ...PARTS.map((name) => `${name}.tmp`), "logs"];
  const strange = names.find((name) => !known.includes(name));
  if (strange !== undefined) {
    throw storageError(
      "exists",
      `${directory} holds ${strange}, which is no part of a repository; choose another directory`,
    );
  }
  for (const name of [...PARTS, ...PARTS.map((part) => `${part}.tmp`)]) {
    if (names.includes(name)) await removeTree(disk, `${directory}/${name}`);
  }
  if (names.length > 0) await disk.syncDirectory(directory, "mds.repository.wipe");
}

/** A file, or a directory of files. */
async function removeTree(disk: Disk, path: string): Promise<void> {
  for (const name of await disk.list(path, "mds.repository.wipe").catch(() => [])) {
    await disk.remove(`${path}/${name}`, "mds.repository.wipe");
  }
  await disk.remove(path, "mds.repository.wipe");
}

export async function loadMdsIdentity(disk: Disk, directory: string): Promise<MdsIdentity> {
  const path = `${directory}/identity.json`;
  const identity = parse(await read(disk, path), path) as Partial<MdsIdentity>;
  if (identity.formatVersion !== 1) {
    throw storageError(
      "unsupported",
      `${path} has format ${String(identity.formatVersion)}; this version knows 1`,
    );
  }
  const { clusterId, clusterName, mdsId, hostId, address, isFirst, peers = [], epoch = 0 } = identity;
  if (
    typeof clusterId !== "string" ||
    typeof clusterName !== "string" ||
    typeof mdsId !== "number" ||
    typeof hostId !== "string" ||
    typeof address !== "string" ||
    typeof isFirst !== "boolean" ||
    typeof epoch !== "number" ||
    !Array.isArray(peers)
  ) {
    throw storageError("malformed", `${path} is damaged`);
  }
  return { formatVersion: 1, clusterId, clusterName, mdsId, hostId, address, isFirst, peers, epoch };
}

/** The genesis secrets, as long as they are waiting; undefined afterwards. */
export async function loadGenesis(disk: Disk, directory: string): Promise<Uint8Array | undefined> {
  const path = `${directory}/genesis.json`;
  try {
    const { secrets } = parse(await disk.readFile(path, "mds.repository.read"), path) as Partial<GenesisFile>;
    if (typeof secrets !== "string") throw storageError("malformed", `${path} is damaged`);
    return Uint8Array.from(Buffer.from(secrets, "base64"));
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return undefined;
    throw error;
  }
}

/** After the genesis is committed: its secrets live in the replicated state only. */
export async function forgetGenesis(disk: Disk, directory: string): Promise<void> {
  await disk.remove(`${directory}/genesis.json`, "mds.repository.genesis");
  await disk.syncDirectory(directory, "mds.repository.genesis");
}

/** The recovery that is to be begun, as long as it waits; undefined afterwards. */
export async function loadRecovery(disk: Disk, directory: string): Promise<RecoveryFile | undefined> {
  const path = `${directory}/recovery.json`;
  try {
    const file = parse(await disk.readFile(path, "mds.repository.read"), path) as Partial<RecoveryFile>;
    const { epoch, source } = file;
    if (typeof epoch !== "number" || typeof source !== "string")
      throw storageError("malformed", `${path} is damaged`);
    return { epoch, source };
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return undefined;
    throw error;
  }
}

export async function saveRecovery(disk: Disk, directory: string, recovery: RecoveryFile): Promise<void> {
  await disk.replaceFile(`${directory}/recovery.json`, json(recovery), "mds.repository.recovery");
}

/** After the epoch has begun: the metadata know it. */
export async function forgetRecovery(disk: Disk, directory: string): Promise<void> {
  await disk.remove(`${directory}/recovery.json`, "mds.repository.recovery");
  await disk.syncDirectory(directory, "mds.repository.recovery");
}

/** The repository goes on as another member: only after a recovery. */
export async function replaceIdentity(disk: Disk, directory: string, identity: MdsIdentity): Promise<void> {
  await disk.replaceFile(`${directory}/identity.json`, json(identity), "mds.repository.identity");
}

/** Remembers that this server is a member of the group. */
export async function noteMembership(disk: Disk, directory: string): Promise<void> {
  if (await wasMember(disk, directory)) return;
  await disk.replaceFile(`${directory}/member`, toUtf8("\n"), "mds.repository.member");
}

export async function wasMember(disk: Disk, directory: string): Promise<boolean> {
  return (await disk.list(directory, "mds.repository.list")).includes("member");
}

function json(value: MdsIdentity | GenesisFile | RecoveryFile): Uint8Array {
  return toUtf8(`${JSON.stringify(value, undefined, 2)}\n`);
}

function parse(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(fromUtf8(bytes)) as unknown;
  } catch (error) {
    throw storageError("malformed", `${path} is damaged`, error);
  }
}

async function read(disk: Disk, path: string): Promise<Uint8Array> {
  try {
    return await disk.readFile(path, "mds.repository.read");
  } catch (error) {
    if (failureOf(error)?.code !== "not_found") throw error;
    throw storageError(
      "not_found",
      `${path} is missing: no repository of a metadata server; if one was lost here, replace it: make-mds --replace MDSID`,
    );
  }
}

async function listIfThere(disk: Disk, directory: string): Promise<string[]> {
  try {
    return await disk.list(directory, "mds.repository.list");
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return [];
    throw error;
  }
}
