/** For the mains of daemons of a repository, and their manual pages: what it needs is no part of the client library. */
export {
  becomeDaemon,
  csdProgram,
  type DaemonFlags,
  logLevelOf,
  type MdsdFlags,
  mdsdProgram,
} from "./daemon-program.js";
