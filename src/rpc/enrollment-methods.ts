import type { EnrollChallenge, EnrollFinish, EnrollResult, EnrollStart, Role } from "../auth/index.js";
import { mappedCodec, messageCodec } from "./codec.js";
import * as wire from "./gen/messages.js";
import type { UnaryMethod } from "./transport.js";

/** No message of enrolment is longer. */
const LIMITS = { bytesMax: 16 * 1024 };

/** What a host without a certificate may call: the only methods for anyone. Both go to the same MDS. */
export const ENROLLMENT: {
  readonly start: UnaryMethod<EnrollStart, EnrollChallenge>;
  readonly finish: UnaryMethod<EnrollFinish, EnrollResult>;
} = {
  start: {
    path: "/pstorage.Enrollment/Start",
    request: messageCodec<EnrollStart>(wire.EnrollStart, LIMITS),
    reply: messageCodec<EnrollChallenge>(wire.EnrollChallenge, LIMITS),
  },
  finish: {
    path: "/pstorage.Enrollment/Finish",
    // The receiver checks that the roles are roles, before it looks at anything else.
    request: mappedCodec<EnrollFinish, wire.EnrollFinish>(
      wire.EnrollFinish,
      (finish) => ({ ...finish, roles: [...finish.roles] }),
      (message) => ({ ...message, roles: message.roles as readonly string[] as readonly Role[] }),
      LIMITS,
    ),
    reply: messageCodec<EnrollResult>(wire.EnrollResult, LIMITS),
  },
};
