import { storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type {
  Access,
  Attributes,
  Create,
  DirectoryEntry,
  Entries,
  FilesystemStatistics,
  InodeNumber,
  MetadataQuery,
  MetadataReply,
  Rename,
  SetAttributes,
  SetStorage,
  SetXattr,
} from "../meta/index.js";
import type { CoherentCache } from "./coherent-cache.js";
import { FileHandle, type HandleOptions } from "./file-handle.js";
import { MetadataQueries } from "./metadata-queries.js";
import { OpenAhead } from "./open-ahead.js";
import type { OpenFiles } from "./open-files.js";
import { bodyOf } from "./replies.js";
import type { MutationMaker, RequestOptions, Session } from "./session.js";
import { abortable, type WaitOptions, withinLimits } from "./waiting.js";

/** Entries asked for at once while listing a directory. */
const LIST_COUNT = 1000;

/** What a new inode is made of; whatever is left out is 0 or empty. */
export interface NewInode {
  readonly parent: InodeNumber;
  readonly name: Uint8Array;
  /** Type and permissions. */
  readonly mode: number;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Of a device. */
  readonly rdev?: number | undefined;
  /** Of a symbolic link. */
  readonly target?: Uint8Array | undefined;
  /** Fails with `exists` if there is something of that name; default true. */
  readonly mustBeNew?: boolean | undefined;
  /** Permission bits to be left out, unless the directory has a default ACL, which then decides. */
  readonly umask?: number | undefined;
}

/** How a truncation is made. */
export interface TruncateOptions extends WaitOptions {
  /** As in `SetAttributes`; default false. */
  readonly killPrivileges?: boolean | undefined;
}

/** How an extended attribute is set. */
export interface SetXattrOptions extends WaitOptions {
  /** With `system.posix_acl_access`: set-group-ID goes too (FUSE_SETXATTR_ACL_KILL_SGID). */
  readonly killSetgid?: boolean | undefined;
}

/** Attributes to be changed; those left out stay. */
export type AttributeChange = Partial<Omit<SetAttributes, "id" | "ino">>;
export type StorageChange = Omit<SetStorage, "id" | "ino">;

/** An open file and its handle. */
export interface OpenedHandle {
  readonly handle: FileHandle;
  readonly attributes: Attributes;
  /** The file did not exist before. */
  readonly created: boolean;
}

/**
 * The file system by inode number: what a mount speaks. Each method is one request to the leading MDS, carried through
 * failover; or none, if the answer is kept here (`cacheMetadata`). Permission bits are not checked: whoever has the cluster's certificate acts as root.
 */
export class InodeOperations {
  readonly #session: Session;
  readonly #files: OpenFiles;
  readonly #clock: Clock;
  readonly #cache: CoherentCache | undefined;
  readonly #queries: MetadataQueries;
  readonly #openAhead: OpenAhead;

  constructor(session: Session, files: OpenFiles, clock: Clock, cache?: CoherentCache) {
    this.#session = session;
    this.#files = files;
    this.#clock = clock;
    this.#cache = cache;
    this.#openAhead = new OpenAhead(files, cache);
    this.#queries = new MetadataQueries((query, options) => this.#ask(query, options), cache);
  }

  /** What `lookup` would find, if that is kept here; null: there is none of that name. */
  knownEntry(parent: InodeNumber, name: Uint8Array): Attributes | null | undefined {
    const found = this.#queries.knownEntry(parent, name);
    return found && this.#files.withLocalChanges(found);
  }

  /** What `getAttributes` would find, if that is kept here. */
  knownAttributes(ino: InodeNumber): Attributes | undefined {
    const found = this.#queries.knownAttributes(ino);
    return found && this.#files.withLocalChanges(found);
  }

  /** What `findXattr` would find, if that is kept here; null: there is none of that name. */
  knownXattr(ino: InodeNumber, name: Uint8Array): Uint8Array | null | undefined {
    return this.#queries.knownXattr(ino, name);
  }

  async lookup(parent: InodeNumber, name: Uint8Array, options?: WaitOptions): Promise<Attributes> {
    return this.#files.withLocalChanges(await this.#queries.lookup(parent, name, options));
  }

  async getAttributes(ino: InodeNumber, options?: WaitOptions): Promise<Attributes> {
    return this.#files.withLocalChanges(await this.#queries.getAttributes(ino, options));
  }

  /** From the root; the last symbolic link is followed only with `followLast`. */
  async resolvePath(path: Uint8Array, followLast: boolean, options?: WaitOptions): Promise<Attributes> {
    return this.#files.withLocalChanges(await this.#queries.resolvePath(path, followLast, false, options));
  }

  /** Where the path leads to, whatever has become of the client that writes the file. */
  async resolveInode(path: Uint8Array, options?: WaitOptions): Promise<Pick<Attributes, "ino" | "mode">> {
    return await this.#queries.resolvePath(path, true, true, options);
  }

  /** A page of a directory: at most `limit` entries after that name. */
  async readDirectory(
    ino: InodeNumber,
    after: Uint8Array,
    limit: number,
    withAttributes: boolean,
    options?: WaitOptions,
  ): Promise<Entries> {
    const page = await this.#queries.readDirectory(ino, after, limit, withAttributes, options);
    return { entries: page.entries.map((entry) => this.#withLocalChanges(entry)), isEnd: page.isEnd };
  }

  /** All entries, in byte order of their names; `.` and `..` are not among them. */
  async *list(
    ino: InodeNumber,
    withAttributes: boolean,
    options?: WaitOptions,
  ): AsyncGenerator<DirectoryEntry, void, undefined> {
    let after = new Uint8Array(0);
    for (;;) {
      const page = await this.readDirectory(ino, after, LIST_COUNT, withAttributes, options);
      yield* page.entries;
      const last = page.entries.at(-1);
      if (page.isEnd || last === undefined) return;
      after = Uint8Array.from(last.name);
    }
  }

  readSymlink(ino: InodeNumber, options?: WaitOptions): Promise<Uint8Array> {
    return this.#queries.readSymlink(ino, options);
  }

  /** Undefined: there is none of that name. */
  findXattr(ino: InodeNumber, name: Uint8Array, options?: WaitOptions): Promise<Uint8Array | undefined> {
    return this.#queries.findXattr(ino, name, options);
  }

  /** Fails with `no_such_attribute` if there is none of that name. */
  async getXattr(ino: InodeNumber, name: Uint8Array, options?: WaitOptions): Promise<Uint8Array> {
    const value = await this.findXattr(ino, name, options);
    if (value === undefined) throw storageError("no_such_attribute");
    return value;
  }

  listXattrs(ino: InodeNumber, options?: WaitOptions): Promise<readonly Uint8Array[]> {
    return this.#queries.listXattrs(ino, options);
  }

  async statFilesystem(options?: WaitOptions): Promise<FilesystemStatistics> {
    return bodyOf(await this.#ask({ type: "statFilesystem", body: {} }, options), "filesystem");
  }

  /** Anything but a hard link; the type bits of `mode` say what. */
  async create(inode: NewInode, options?: WaitOptions): Promise<Attributes> {
    const body = createBody(inode);
    return this.#entryOrOpened(
      await this.#change((id) => ({ type: "create", body: { id, ...body } }), options),
    );
  }

  /** What `create` would resolve with at once, if it is certain; else undefined, and nothing was done. */
  createAtOnce(inode: NewInode): Attributes | undefined {
    const body = createBody(inode);
    const reply = this.#session.mutateAtOnce((id) => ({ type: "create", body: { id, ...body } }));
    return reply && this.#entryOrOpened(reply);
  }

  /** Makes a regular file (or, unless it must be new, takes the one there is) and opens it: one request. */
  createAndOpen(inode: NewInode, access: Access, options?: HandleOptions): Promise<OpenedHandle> {
    return withinLimits(this.#clock, options, async (signal) => {
      const opened = await this.#files.create(createBody(inode), access, signal);
      const handle = new FileHandle(this.#files, opened, this.#clock, access, options);
      return { handle, attributes: opened.attributes, created: opened.created };
    });
  }

  /** What `createAndOpen` would resolve with at once, if it is certain; else undefined, and nothing was done. */
  createAndOpenAtOnce(inode: NewInode, access: Access): OpenedHandle | undefined {
    const opened = this.#files.createAtOnce(createBody(inode), access);
    if (opened === undefined) return undefined;
    const handle = new FileHandle(this.#files, opened, this.#clock, access);
    return { handle, attributes: opened.attributes, created: opened.created };
  }

  /** A regular file without a name, open at once, as O_TMPFILE makes it; `link` can give it a name while it is open. */
  createUnnamed(
    inode: Omit<NewInode, "name" | "mustBeNew">,
    access: Access,
    options?: HandleOptions,
  ): Promise<OpenedHandle> {
    return withinLimits(this.#clock, options, async (signal) => {
      const body = { ...createBody({ ...inode, name: NOTHING }), unnamed: true };
      const opened = await this.#files.create(body, access, signal);
      const handle = new FileHandle(this.#files, opened, this.#clock, access, options);
      return { handle, attributes: opened.attributes, created: opened.created };
    });
  }

  /** Waits until the lease can be had; `exclusive` fails with `lease_conflict` while somebody else may write. */
  open(ino: InodeNumber, access: Access, options?: HandleOptions): Promise<FileHandle> {
    return withinLimits(this.#clock, options, async (signal) => {
      if (access === "read") this.#openAhead.opened(ino);
      const reopened = this.#files.reopen(ino, access);
      if (reopened === undefined) {
        const opened = await this.#files.open(ino, access, signal);
        return new FileHandle(this.#files, opened, this.#clock, access, options);
      }
      try {
        const attributes = await this.getAttributes(ino, { signal });
        return new FileHandle(this.#files, { attributes, ...reopened }, this.#clock, access, options);
      } catch (error) {
        this.#files.release(reopened.file, reopened.countedAs);
        throw error;
      }
    });
  }

  /** What `open` would resolve with, if the file is open here already and known; else undefined, and nothing was done. */
  openAtOnce(ino: InodeNumber, access: Access): FileHandle | undefined {
    const attributes = this.knownAttributes(ino);
    if (attributes === undefined) return undefined;
    const reopened = this.#files.reopen(ino, access);
    if (reopened === undefined) return undefined;
    if (access === "read") this.#openAhead.opened(ino);
    return new FileHandle(this.#files, { attributes, ...reopened }, this.#clock, access);
  }

  async link(
    ino: InodeNumber,
    parent: InodeNumber,
    name: Uint8Array,
    options?: WaitOptions,
  ): Promise<Attributes> {
    return this.#entry(
      await this.#change((id) => ({ type: "link", body: { id, ino, parent, name } }), options),
    );
  }

  /** unlink, or with `directory` rmdir. */
  async remove(
    parent: InodeNumber,
    name: Uint8Array,
    directory: boolean,
    options?: WaitOptions,
  ): Promise<void> {
    await this.#change((id) => ({ type: "remove", body: { id, parent, name, directory } }), options);
  }

  /** Whether it is removed, because it is certain that it can be; else nothing was done. */
  removeAtOnce(parent: InodeNumber, name: Uint8Array, directory: boolean): boolean {
    const make: MutationMaker = (id) => ({ type: "remove", body: { id, parent, name, directory } });
    return this.#session.mutateAtOnce(make) !== undefined;
  }

  async rename(body: Omit<Rename, "id">, options?: WaitOptions): Promise<void> {
    await this.#change((id) => ({ type: "rename", body: { id, ...body } }), options);
  }

  /** Times set here stay: what this client wrote before and reports later does not change them. */
  async setAttributes(ino: InodeNumber, change: AttributeChange, options?: WaitOptions): Promise<Attributes> {
    const body = { ino, ...NO_CHANGE, ...change };
    const make = async (): Promise<Attributes> => {
      const reply = await this.#change((id) => ({ type: "setAttributes", body: { id, ...body } }), options);
      return bodyOf(reply, "entry").attributes;
    };
    const open = this.#files.get(ino);
    return this.#files.withLocalChanges(
      open !== undefined && setsTime(body)
        ? await abortable(open.changeTimes(make), options?.signal)
        : await make(),
    );
  }

  /** What `setAttributes` would resolve with at once, if it is certain; else undefined, and nothing was done. */
  setAttributesAtOnce(ino: InodeNumber, change: AttributeChange): Attributes | undefined {
    const body = { ino, ...NO_CHANGE, ...change };
    if (setsTime(body) && this.#files.get(ino) !== undefined) return undefined;
    const reply = this.#session.mutateAtOnce((id) => ({ type: "setAttributes", body: { id, ...body } }));
    return reply && this.#entry(reply);
  }

  /** Somebody read these, at most `ACCESSED_MAX`: their access times move on as with `relatime`, and no other times do. */
  async accessed(inos: readonly InodeNumber[], options?: WaitOptions): Promise<void> {
    if (!this.#session.level.has("markAccessed")) {
      await Promise.all(inos.map((ino) => this.setAttributes(ino, { accessed: true }, options)));
      return;
    }
    const files = inos.map((ino) => ({ ino }));
    await this.#change((id) => ({ type: "markAccessed", body: { id, files } }), options);
  }

  async truncate(ino: InodeNumber, sizeBytes: number, options: TruncateOptions = {}): Promise<void> {
    const { killPrivileges } = options;
    const open = this.#files.get(ino);
    if (open !== undefined) {
      if (killPrivileges === true) await this.setAttributes(ino, { killPrivileges }, options);
      await withinLimits(this.#clock, options, (signal) => open.truncate(sizeBytes, signal));
      return;
    }
    const body = { ino, sizeBytes, killPrivileges };
    await this.#change((id) => ({ type: "truncate", body: { id, ...body } }), options, "patient");
  }

  async setXattr(
    ino: InodeNumber,
    name: Uint8Array,
    value: Uint8Array,
    mode: SetXattr["mode"],
    options: SetXattrOptions = {},
  ): Promise<void> {
    const body = { ino, name, value, mode, killSetgid: options.killSetgid };
    await this.#change((id) => ({ type: "setXattr", body: { id, ...body } }), options);
  }

  async removeXattr(ino: InodeNumber, name: Uint8Array, options?: WaitOptions): Promise<void> {
    await this.#change((id) => ({ type: "removeXattr", body: { id, ino, name } }), options);
  }

  async setStorage(ino: InodeNumber, change: StorageChange, options?: WaitOptions): Promise<Attributes> {
    return this.#entry(
      await this.#change((id) => ({ type: "setStorage", body: { ...change, id, ino } }), options),
    );
  }

  /** How often changes that were answered early have been lost with their session. */
  get lossCount(): number {
    return this.#session.lossCount;
  }

  /**
   * Resolves when every change of names and attributes that was answered before the call is carried out, so that nothing but
   * the loss of most metadata servers undoes it. Fails with `io_error` if some were lost since there were `lossCount` losses.
   */
  commit(lossCount: number = this.lossCount, options?: WaitOptions): Promise<void> {
    return withinLimits(this.#clock, options, (signal) => this.#session.committed(lossCount, signal));
  }

  /** Ends all leases that other clients hold on the file, at once and for good. */
  async revoke(ino: InodeNumber, options?: WaitOptions): Promise<void> {
    await this.#change((id) => ({ type: "revoke", body: { id, ino } }), options, "patient");
  }

  /**
   * For how long others may keep these attributes without asking (a kernel's `attr_valid`), by this machine's clock: 0
   * if they have been invalidated meanwhile, or nothing is cached here. To be asked right before they are handed on.
   */
  attributesValidMs(attributes: Attributes): number {
    const { ino, changeCount } = attributes;
    if (this.#changesUnseen(ino)) return 0;
    const isKnown = this.#cache?.known?.attributes(ino)?.changeCount === changeCount;
    return isKnown ? (this.#cache?.validMs ?? 0) : 0;
  }

  /** The same of what a name stands for; `undefined`: of its not being there. */
  entryValidMs(parent: InodeNumber, name: Uint8Array, ino: InodeNumber | undefined): number {
    const cache = this.#cache;
    const isKnown = cache?.known?.entry(parent, name, cache.nowMs) === (ino ?? null);
    return isKnown ? (cache?.validMs ?? 0) : 0;
  }

  /** The file's attributes may change without an answer to whoever keeps them: another client writes, or what was written here is still to be told. */
  #changesUnseen(ino: InodeNumber): boolean {
    const open = this.#files.get(ino);
    const kind = open?.lease.kind;
    return kind === "shared" || (kind === "exclusive" && open?.isAllSaid === false);
  }

  #ask(request: MetadataQuery, options: WaitOptions | undefined): Promise<MetadataReply> {
    return withinLimits(this.#clock, options, (signal) => this.#session.query(request, { signal }));
  }

  #change(
    make: MutationMaker,
    options: WaitOptions | undefined,
    urgency: RequestOptions["urgency"] = "ordinary",
  ): Promise<MetadataReply> {
    return withinLimits(this.#clock, options, (signal) => this.#session.mutate(make, { signal, urgency }));
  }

  #entry(reply: MetadataReply): Attributes {
    return this.#files.withLocalChanges(bodyOf(reply, "entry").attributes);
  }

  /** A creation that does not open is answered by `opened` with the lease `none`. */
  #entryOrOpened(reply: MetadataReply): Attributes {
    return reply.type === "opened" ? reply.body.attributes : this.#entry(reply);
  }

  #withLocalChanges(entry: DirectoryEntry): DirectoryEntry {
    const { attributes } = entry;
    if (attributes === undefined) return entry;
    return { ...entry, attributes: this.#files.withLocalChanges(attributes) };
  }
}

function createBody(inode: NewInode): Omit<Create, "id" | "open"> {
  const { parent, name, mode, uid = 0, gid = 0, rdev = 0, target = NOTHING, mustBeNew = true, umask } = inode;
  return { parent, name, mode, uid, gid, rdev, target, mustBeNew, umask };
}

const setsTime = ({ mtime, mtimeNow }: Pick<SetAttributes, "mtime" | "mtimeNow">): boolean =>
  mtime !== undefined || mtimeNow;

const NO_CHANGE = { atimeNow: false, mtimeNow: false };
const NOTHING = new Uint8Array(0);
