/** Calls over the byte streams of a `Net`, for tests and the simulator. */
export { type ClaimedIdentity, NetRpc, type NetRpcOptions } from "./net-rpc.js";
