import { storageError, unreachable } from "../base/index.js";
import type { KeepSizeOptions } from "../client/index.js";
import { ErrnoAnswer } from "./core/errno-answer.js";
import type { FileSystemRequest } from "./fuse-handler.js";
import { FALLOCATE_MODES, SEEK_DATA, SEEK_HOLE } from "./fuse-wire/flags.js";
import { type FuseReply, OK } from "./fuse-wire/replies.js";
import type { RequestOf } from "./fuse-wire/requests.js";
import type { HandleTable } from "./handles/handle-table.js";
import type { OpenHandle } from "./handles/open-handle.js";
import type { MountState } from "./mount-state.js";

/** Requests about where a file has data. */
export type SpaceRequest = Extract<FileSystemRequest, { readonly type: "allocate" | "seek" | "copyRange" }>;

/** The kernel takes a short answer and asks for the rest; meanwhile the caller can be interrupted. */
const COPY_BYTES_MAX = 256 * 1024 * 1024;
const { keepSize: KEEP_SIZE, punchHole: PUNCH_HOLE, zeroRange: ZERO_RANGE } = FALLOCATE_MODES;

/** fallocate, lseek to data and holes, copy_file_range. */
export class SpaceRequests {
  readonly #state: MountState;
  readonly #handles: HandleTable<OpenHandle>;

  constructor(state: MountState, handles: HandleTable<OpenHandle>) {
    this.#state = state;
    this.#handles = handles;
  }

  handle(request: SpaceRequest, signal: AbortSignal): Promise<FuseReply> {
    switch (request.type) {
      case "allocate":
        return this.#allocate(request, signal);
      case "seek":
        return this.#seek(request, signal);
      case "copyRange":
        return this.#copy(request, signal);
      default:
        return unreachable(request);
    }
  }

  async #allocate(request: RequestOf<"allocate">, signal: AbortSignal): Promise<FuseReply> {
    const { offset, lengthBytes, mode } = request;
    const { file, node } = this.#handles.get(request.handle);
    await this.#state.takePrivileges(node, request.header.uid, signal);
    const options: KeepSizeOptions = { signal, keepSize: (mode & KEEP_SIZE) !== 0 };
    switch (mode & ~KEEP_SIZE) {
      case 0:
        await file.allocate(offset, lengthBytes, options);
        return OK;
      case PUNCH_HOLE:
        if (options.keepSize !== true) throw storageError("unsupported", "a hole does not change the size");
        await file.punch(offset, lengthBytes, options);
        return OK;
      case ZERO_RANGE:
        await file.zeroRange(offset, lengthBytes, options);
        return OK;
      default:
        throw storageError("unsupported", "no such way to allocate");
    }
  }

  async #seek({ handle, offset, whence }: RequestOf<"seek">, signal: AbortSignal): Promise<FuseReply> {
    const { file } = this.#handles.get(handle);
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw storageError("invalid", "no such way to seek");
    const isInFile = offset >= 0;
    const found = !isInFile
      ? undefined
      : whence === SEEK_DATA
        ? await file.seekData(offset, { signal })
        : await file.seekHole(offset, { signal });
    if (found === undefined) throw new ErrnoAnswer("ENXIO", "nothing of the kind before the end of the file");
    return { type: "offset", offset: found };
  }

  async #copy(request: RequestOf<"copyRange">, signal: AbortSignal): Promise<FuseReply> {
    const { offset, targetOffset, flags } = request;
    if (flags !== 0) throw storageError("invalid", "no such way to copy");
    const source = this.#handles.get(request.handle);
    const target = this.#handles.get(request.targetHandle);
    await this.#state.takePrivileges(target.node, request.header.uid, signal);
    const lengthBytes = Math.min(request.lengthBytes, COPY_BYTES_MAX);
    const sizeBytes = await source.file.copyRange(offset, target.file, targetOffset, lengthBytes, { signal });
    this.#state.accessTimes.read(source.node);
    return { type: "written", sizeBytes };
  }
}
