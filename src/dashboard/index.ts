/** A web page that shows a cluster: health, space, servers, chunks, rates of the last hour, clients, events. */
export { DashboardServer, type DashboardWorld } from "./http-server.js";
export { type Picture, Watcher } from "./watcher.js";
