import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import {
  FAILURES,
  type Failure,
  type FailureCode,
  type GrpcStatus,
  StorageError,
  storageError,
} from "../../base/index.js";
import { failureFromWire, failureToWire } from "../codec.js";

/** https://grpc.io/docs/guides/status-codes/ */
const NUMBERS: Readonly<Record<GrpcStatus, number>> = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
};

/** What a status means that came without our code, from some other implementation of gRPC. */
const CODES: Readonly<Record<number, FailureCode>> = {
  1: "cancelled",
  3: "invalid",
  4: "timed_out",
  5: "not_found",
  6: "exists",
  7: "unauthorized",
  8: "busy",
  12: "unsupported",
  14: "unavailable",
  16: "unauthenticated",
};

/** The end of a call as gRPC says it: `grpc-status`, `grpc-message`; our own code and hint beside them. */
export function statusHeaders(failure: Failure | undefined): OutgoingHttpHeaders {
  if (failure === undefined) return { "grpc-status": "0" };
  const { code, detail, leaderHint } = failureToWire(failure);
  const headers: OutgoingHttpHeaders = {
    "grpc-status": String(NUMBERS[FAILURES[failure.code].grpc]),
    "grpc-message": encodeText(detail),
    "pstorage-code": code,
  };
  if (leaderHint !== undefined) headers["pstorage-leader"] = encodeText(leaderHint);
  return headers;
}

/** The inverse; undefined if the call ended well. */
export function statusOf(headers: IncomingHttpHeaders): StorageError | undefined {
  const status = Number(headers["grpc-status"]);
  if (status === 0) return undefined;
  const detail = decodeText(headers["grpc-message"]) ?? "";
  const code = headers["pstorage-code"];
  if (typeof code !== "string") return storageError(CODES[status] ?? "io_error", detail);
  return new StorageError(
    failureFromWire({ code, detail, leaderHint: decodeText(headers["pstorage-leader"]) }),
  );
}

/** Half a surrogate pair, as text cut in the middle may have, cannot be encoded. */
function encodeText(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"));
}

function decodeText(header: string | string[] | undefined): string | undefined {
  if (typeof header !== "string") return undefined;
  try {
    return decodeURIComponent(header);
  } catch {
    // Not percent-encoded as it should be; it is only for a person to read.
    return header;
  }
}
