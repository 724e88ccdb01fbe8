/** Gives every call and every return of a run its own position, so that it is certain what came first. */
export class Positions {
  #last = 0;

  next(): number {
    return ++this.#last;
  }

  get last(): number {
    return this.#last;
  }
}

/** What clients do to the contents of one file. */
export type FileAction =
  | { readonly type: "write"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: "punch"; readonly offset: number; readonly lengthBytes: number }
  | { readonly type: "truncate"; readonly sizeBytes: number }
  | { readonly type: "read"; readonly offset: number; readonly lengthBytes: number; bytes?: Uint8Array }
  | { readonly type: "size"; sizeBytes?: number }
  | { readonly type: "sync" };

/** One operation on a file, as its client saw it. */
export interface FileOperation {
  /** From 1 within the file. */
  readonly number: number;
  /** Which life of which client: `client2#3`. */
  readonly process: string;
  readonly action: FileAction;
  readonly calledAt: number;
  readonly calledMs: number;
  /** Infinity while nobody knows how it ended. */
  returnedAt: number;
  returnedMs: number | undefined;
  /** `unknown`: it may have taken effect, wholly or in part, until `returnedAt`. */
  outcome: "pending" | "ok" | "unknown";
  /** Why the outcome is unknown. */
  failure?: string;
  /** A write that its client may have kept to itself: what nobody else saw of it may be lost with the client. */
  isBuffered?: boolean;
}

/** Loss of power of so many hosts that what was not synced may be gone. */
export interface PowerFailure {
  readonly at: number;
}

/** Everything that was done to the contents of one file. */
export class FileHistory {
  readonly name: string;
  /** A write that goes beyond a multiple of it is several, for who cuts the file off meanwhile. */
  readonly chunkBytes: number;
  readonly operations: FileOperation[] = [];
  readonly powerFailures: PowerFailure[] = [];
  readonly #positions: Positions;
  readonly #nowMs: () => number;

  constructor(
    name: string,
    positions: Positions,
    nowMs: () => number,
    chunkBytes: number = Number.POSITIVE_INFINITY,
  ) {
    this.name = name;
    this.chunkBytes = chunkBytes;
    this.#positions = positions;
    this.#nowMs = nowMs;
  }

  call(process: string, action: FileAction): FileOperation {
    const operation: FileOperation = {
      number: this.operations.length + 1,
      process,
      action,
      calledAt: this.#positions.next(),
      calledMs: this.#nowMs(),
      returnedAt: Number.POSITIVE_INFINITY,
      returnedMs: undefined,
      outcome: "pending",
    };
    this.operations.push(operation);
    return operation;
  }

  /** It succeeded; the result of a question was put into its action. */
  succeeded(operation: FileOperation): void {
    operation.outcome = "ok";
    operation.returnedAt = this.#positions.next();
    operation.returnedMs = this.#nowMs();
  }

  /** It failed: what it has done so far, and may still do, is not known. */
  failed(operation: FileOperation, failure: string): void {
    operation.outcome = "unknown";
    operation.failure = failure;
    operation.returnedMs = this.#nowMs();
  }

  /** From now on nothing that these processes began and did not finish can change the file any more. */
  fence(isFenced: (process: string) => boolean): void {
    const at = this.#positions.next();
    for (const operation of this.operations) {
      if (operation.returnedAt !== Number.POSITIVE_INFINITY || !isFenced(operation.process)) continue;
      operation.outcome = "unknown";
      operation.returnedAt = at;
    }
  }

  /** What was not synced before may be gone from now on. */
  powerFailed(): void {
    this.powerFailures.push({ at: this.#positions.next() });
  }
}

/** One line for people. */
export function describeOperation(operation: FileOperation): string {
  const { number, process, action, calledMs, returnedMs, outcome, failure } = operation;
  const end = returnedMs === undefined ? "?" : returnedMs.toFixed(1);
  const how = outcome === "ok" ? "" : ` ${outcome}${failure === undefined ? "" : ` (${failure})`}`;
  return `#${number} ${process} ${describeAction(action)} ${calledMs.toFixed(1)}..${end} ms${how}`;
}

function describeAction(action: FileAction): string {
  switch (action.type) {
    case "write":
      return `write ${action.offset}+${action.bytes.length}`;
    case "punch":
      return `punch ${action.offset}+${action.lengthBytes}`;
    case "truncate":
      return `truncate ${action.sizeBytes}`;
    case "read":
      return `read ${action.offset}+${action.lengthBytes} -> ${action.bytes?.length ?? "?"}`;
    case "size":
      return `size -> ${action.sizeBytes ?? "?"}`;
    case "sync":
      return "sync";
  }
}
