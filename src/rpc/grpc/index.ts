/** gRPC over mutual TLS. Only `main.ts` files import it; everyone else is handed an `Rpc`. */
export { GrpcRpc, type GrpcRpcOptions } from "./grpc-rpc.js";
