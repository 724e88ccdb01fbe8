/**
 * A web page that shows a cluster: health, space, servers, chunks, rates of the last hour, clients, events; and lets those act
 * who know its password.
 */
export { Desk, type DeskWorld } from "./desk.js";
export { type FileView, viewOfFile } from "./file-view.js";
export { DashboardServer, type DashboardWorld } from "./http-server.js";
export { type Picture, Watcher } from "./watcher.js";
