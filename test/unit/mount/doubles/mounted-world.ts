import type { Cluster } from "../../../../src/client/index.js";
import type { InodeNumber } from "../../../../src/meta/index.js";
import { refusalOf } from "../../../../src/mount/core/refusal.js";
import { MountedFileSystem } from "../../../../src/mount/filesystem.js";
import type { FileSystemRequest, KernelCache } from "../../../../src/mount/fuse-handler.js";
import type { FuseReply } from "../../../../src/mount/fuse-wire/replies.js";
import type { RequestHeader } from "../../../../src/mount/fuse-wire/requests.js";
import type { MountBehaviour } from "../../../../src/mount/mount-state.js";
import { KernelListener } from "../../../../src/mount/nodes/kernel-listener.js";
import { ClientWorld } from "../../client/doubles/client-world.js";

/** A kernel that remembers what it was told to forget. */
export class FakeKernel implements KernelCache {
  readonly told: string[] = [];
  readonly hasEpochs: boolean;
  /** While set, what concerns data waits for it. */
  held: Promise<void> | undefined;

  constructor(hasEpochs = true) {
    this.hasEpochs = hasEpochs;
  }

  async invalidateInode(nodeId: number, offset: number, lengthBytes: number): Promise<void> {
    if (offset >= 0) await this.held;
    this.told.push(offset < 0 ? `attributes ${nodeId}` : `data ${nodeId} ${offset}+${lengthBytes}`);
  }

  /** Whether it takes what is stored. */
  takes = true;

  async store(nodeId: number, offset: number, data: Uint8Array): Promise<boolean> {
    await this.held;
    this.told.push(`store ${nodeId} ${offset}+${data.length}`);
    return this.takes;
  }

  async invalidateEntry(parent: number, name: Uint8Array): Promise<void> {
    this.told.push(`entry ${parent} ${new TextDecoder().decode(name)}`);
  }

  async incrementEpoch(): Promise<boolean> {
    this.told.push("epoch");
    return this.hasEpochs;
  }
}

type Body<Type extends FileSystemRequest["type"]> = Omit<
  Extract<FileSystemRequest, { readonly type: Type }>,
  "type" | "header"
>;

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (reply: FuseReply): string =>
  reply.type === "data" ? Buffer.concat(reply.parts as Uint8Array[]).toString("latin1") : `(${reply.type})`;

/** One mount over a cluster of doubles, and somebody who asks what a kernel would. */
export class MountedWorld {
  readonly world: ClientWorld;
  readonly cluster: Cluster;
  readonly fileSystem: MountedFileSystem;
  readonly kernel: FakeKernel;
  readonly listener: KernelListener;
  uid = 0;
  #unique = 0;

  private constructor(
    world: ClientWorld,
    cluster: Cluster,
    parts: { kernel: FakeKernel; listener: KernelListener; fileSystem: MountedFileSystem },
  ) {
    this.world = world;
    this.cluster = cluster;
    this.kernel = parts.kernel;
    this.listener = parts.listener;
    this.fileSystem = parts.fileSystem;
  }

  static async start(
    behaviour: Partial<MountBehaviour> = {},
    world: ClientWorld | undefined = undefined,
    name = "mount",
  ): Promise<MountedWorld> {
    const cluster = world ?? (await ClientWorld.start());
    const { clock } = cluster.host(name);
    const listener = new KernelListener(clock, cluster.log);
    const kernel = new FakeKernel();
    const client = await cluster.client(name, {
      program: "mount",
      cacheMetadata: true,
      cacheListener: listener,
      buffered: true,
    });
    const fileSystem = new MountedFileSystem(
      { cluster: client, listener, kernel, clock, log: cluster.log },
      { rootOwner: {}, noatime: false, isReadOnly: false, hasAcls: true, ...behaviour },
    );
    return new MountedWorld(cluster, client, { kernel, listener, fileSystem });
  }

  /** Asks and lets time pass until it is answered. */
  async ask<Type extends FileSystemRequest["type"]>(
    type: Type,
    nodeId: number,
    body: Body<Type>,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<FuseReply> {
    return await this.world.run(this.begin(type, nodeId, body, signal));
  }

  /** Asks without waiting. */
  begin<Type extends FileSystemRequest["type"]>(
    type: Type,
    nodeId: number,
    body: Body<Type>,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<FuseReply> {
    const header: RequestHeader = {
      unique: ++this.#unique,
      nodeId,
      uid: this.uid,
      gid: this.uid,
      pid: 1,
    };
    return this.#answer({ type, header, ...body } as unknown as FileSystemRequest, signal);
  }

  /** As the connection does. */
  async #answer(request: FileSystemRequest, signal: AbortSignal): Promise<FuseReply> {
    try {
      return this.fileSystem.answerAtOnce(request) ?? (await this.fileSystem.handle(request, signal));
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return refusal;
    }
  }

  /** A new file, open for reading and writing. */
  async create(
    name: string,
    { parent = 1, mode = 0o644, flags = 0o102 } = {},
  ): Promise<{ readonly nodeId: number; readonly handle: number }> {
    const reply = await this.ask("create", parent, {
      name: bytesOf(name),
      mode,
      umask: 0o022,
      groups: [],
      flags,
      killSuidgid: false,
    });
    if (reply.type !== "created") throw new Error(`not created: ${JSON.stringify(reply)}`);
    return { nodeId: reply.entry.nodeId, handle: reply.handle };
  }

  async makeDirectory(name: string, parent = 1): Promise<number> {
    const reply = await this.ask("makeDirectory", parent, {
      name: bytesOf(name),
      mode: 0o755,
      umask: 0,
      groups: [],
    });
    if (reply.type !== "entry") throw new Error(`not made: ${JSON.stringify(reply)}`);
    return reply.entry.nodeId;
  }

  write(
    { nodeId, handle }: { readonly nodeId: number; readonly handle: number },
    offset: number,
    data: Uint8Array | string,
    more: Partial<Body<"write">> = {},
  ): Promise<FuseReply> {
    return this.ask("write", nodeId, {
      handle,
      offset,
      data: typeof data === "string" ? bytesOf(data) : data,
      flags: 0o2,
      isFromCache: false,
      killSuidgid: false,
      lockOwner: undefined,
      ...more,
    });
  }

  read(
    { nodeId, handle }: { readonly nodeId: number; readonly handle: number },
    offset: number,
    sizeBytes: number,
  ): Promise<FuseReply> {
    return this.ask("read", nodeId, { handle, offset, sizeBytes, flags: 0, lockOwner: undefined });
  }

  async attributes(
    nodeId: number,
  ): Promise<Extract<FuseReply, { readonly type: "attributes" }>["attributes"]> {
    const reply = await this.ask("getAttributes", nodeId, { handle: undefined });
    if (reply.type !== "attributes") throw new Error(`no attributes: ${JSON.stringify(reply)}`);
    return reply.attributes;
  }

  /** All names of a directory, in pages of that size. */
  async list(nodeId: number, sizeBytes = 4096, withAttributes = false): Promise<string[]> {
    const opened = await this.ask("openDirectory", nodeId, { flags: 0 });
    if (opened.type !== "opened") throw new Error(`not opened: ${JSON.stringify(opened)}`);
    const names: string[] = [];
    for (let offset = 0; ; ) {
      const page = await this.page(nodeId, opened.handle, offset, sizeBytes, withAttributes);
      const last = page.at(-1);
      if (last === undefined) break;
      names.push(...page.map(({ name }) => name));
      offset = last.offset;
    }
    await this.ask("releaseDirectory", nodeId, { handle: opened.handle });
    return names;
  }

  /** One answer to a readDirectory, decoded. */
  async page(
    nodeId: number,
    handle: number,
    offset: number,
    sizeBytes: number,
    withAttributes = false,
  ): Promise<{ readonly name: string; readonly offset: number; readonly nodeId: number }[]> {
    const reply = await this.ask("readDirectory", nodeId, { handle, offset, sizeBytes, withAttributes });
    if (reply.type !== "data") throw new Error(`not listed: ${JSON.stringify(reply)}`);
    return decodePage(Buffer.concat(reply.parts as Uint8Array[]), withAttributes ? 128 : 0);
  }

  ino(nodeId: number): InodeNumber {
    return nodeId as InodeNumber;
  }
}

function decodePage(
  bytes: Buffer,
  entryBytes: number,
): { readonly name: string; readonly offset: number; readonly nodeId: number }[] {
  const found: { readonly name: string; readonly offset: number; readonly nodeId: number }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const nodeId = entryBytes === 0 ? 0 : Number(bytes.readBigUInt64LE(at));
    const dirent = at + entryBytes;
    const nameBytes = bytes.readUInt32LE(dirent + 16);
    const name = bytes.subarray(dirent + 24, dirent + 24 + nameBytes).toString("latin1");
    found.push({ name, offset: Number(bytes.readBigUInt64LE(dirent + 8)), nodeId });
    at += Math.ceil((entryBytes + 24 + nameBytes) / 8) * 8;
  }
  return found;
}
