/** For the mains of daemons of a repository alone: what it needs is no part of the client library. */
export { becomeDaemon, type DaemonFlags, daemonProgram, logLevelOf } from "./daemon-program.js";
