import { storageError } from "../base/index.js";
import type { MetadataReply } from "../meta/index.js";

type BodyOf<T extends MetadataReply["type"]> = Extract<MetadataReply, { type: T }>["body"];

/** The body of a reply that must be of that type. */
export function bodyOf<T extends MetadataReply["type"]>(reply: MetadataReply, type: T): BodyOf<T> {
  if (reply.type !== type) throw storageError("malformed", `answered by ${reply.type} instead of ${type}`);
  // The discriminant was checked; the compiler does not follow it through the type parameter.
  return reply.body as BodyOf<T>;
}
