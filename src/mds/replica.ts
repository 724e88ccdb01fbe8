export type {
  AppliedEntry,
  Leadership,
  MemberStatus,
  OpenSnapshot,
  RaftTransport,
  ReplicaConfig,
  ReplicaLog,
  ReplicaStatus,
  ReplicaWorld,
  StateMachine,
} from "./replica-api.js";
