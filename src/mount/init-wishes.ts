import type { InitWishes } from "./fuse-wire/init.js";

/**
 * What we want of the kernel. Not its write-back cache: with it the kernel believes no size but its own, so that several
 * clients could not be coherent; small writes are gathered by the client library instead.
 */
const ALL: InitWishes = {
  flags: [
    "asyncRead",
    "bigWrites",
    "parallelDirectoryOperations",
    "atomicTruncate",
    "readdirplus",
    "readdirplusAuto",
    "maxPages",
    "asyncDirectIo",
    "posixLocks",
    "flockLocks",
    "exportSupport",
    "dontMask",
    "posixAcl",
    "handleKillPrivilege2",
    "autoInvalidateData",
    "cacheSymlinks",
    "setxattrExtended",
    "createSupplementaryGroup",
    "directIoAllowMmap",
  ],
  transferBytesMax: 1024 * 1024,
  readaheadBytesMax: 1024 * 1024,
  backgroundMax: 64,
  congestionThreshold: 48,
};

export const initWishes = (hasAcls: boolean): InitWishes =>
  hasAcls ? ALL : { ...ALL, flags: ALL.flags.filter((flag) => flag !== "posixAcl") };
