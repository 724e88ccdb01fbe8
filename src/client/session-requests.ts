import type { StorageError } from "../base/index.js";
import type {
  ClientLoad,
  MetadataMutation,
  MetadataPush,
  MetadataReply,
  MetadataRequest,
  MutationId,
} from "../meta/index.js";
import type { EarlyAnswer } from "./early-answers.js";

export interface SessionConfig {
  readonly clusterId: string;
  /** Client addresses of metadata servers; any one that is alive is enough. */
  readonly mdsAddresses: readonly string[];
  /** Shown to operators. */
  readonly hostname: string;
  /** `mount`, `library`, `command`. */
  readonly program: string;
  /** What the client has done, told with every sign of life. */
  readonly load?: (() => ClientLoad) | undefined;
  /** Mutations of what the session is alone with are answered before the MDS has; only with a cache. Default false. */
  readonly earlyAnswers?: boolean | undefined;
}

/** What the files of a session must hear. Called synchronously; must not throw. */
export interface SessionEvents {
  onPush(push: MetadataPush): void;
  /** Connected again under the same session: leases are kept, maps must be asked for anew. */
  onResumed(): void;
  /** A new session began: every lease and open of the old one is gone. */
  onLost(): void;
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * `ordinary`; `patient` for what may wait at the MDS for other clients, for servers or for space; `urgent` for
   * answers the MDS itself waits for, which therefore never queue.
   */
  readonly urgency?: "ordinary" | "patient" | "urgent" | undefined;
  /** It speaks of leases of the present session, and means nothing under another one. */
  readonly isBound?: boolean | undefined;
  /**
   * A mutation that may have been carried out before: `no` (the default): it is not made again under a new session;
   * `new-session`: it is, because the end of the old one undid it; `always`: twice is as good as once, so that one
   * that waits for long gets a new number now and then, and does not keep the MDS from forgetting those before it.
   */
  readonly repeat?: "no" | "new-session" | "always" | undefined;
  /** Gets the answer of a mutation whose caller gave up. */
  readonly onLateReply?: ((reply: MetadataReply) => void) | undefined;
}

export type MutationMaker = (id: MutationId) => MetadataMutation;

/** A request that was not answered to its caller, or only early. */
export interface Pending {
  readonly make: (id: MutationId) => MetadataRequest;
  readonly isMutation: boolean;
  readonly options: RequestOptions;
  readonly resolve: (reply: MetadataReply) => void;
  readonly reject: (error: StorageError) => void;
  /** Of a mutation that was sent. */
  sequence: number | undefined;
  /** It is not carried out before that one. */
  after: number | undefined;
  /** Its callers have these answers already. */
  readonly early: readonly EarlyAnswer[] | undefined;
  /** A mutation was sent, and no answer says that it was not carried out. */
  mayBeDone: boolean;
  attempt: number;
}

/** Before anything was sent. */
export const newPending = (
  make: Pending["make"],
  isMutation: boolean,
  options: RequestOptions,
  early: Pending["early"],
): Omit<Pending, "resolve" | "reject"> => ({
  make,
  isMutation,
  options,
  early,
  sequence: undefined,
  after: undefined,
  mayBeDone: false,
  attempt: 0,
});
