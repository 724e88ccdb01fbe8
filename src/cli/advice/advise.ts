const MIB = 1024 * 1024;
/** Of an SSD that is left alone: one that is nearly full is slow, and wears out. */
const SSD_RESERVE = 0.1;
/** Below that a read cache is not worth its trouble. */
const CACHE_MIB_MIN = 1024;

/** A directory that was named, and the file system that it is or will be on. */
export interface Place {
  /** As the commands should have it. */
  readonly directory: string;
  /** The same for all directories of one file system. */
  readonly device: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Undefined: unknown. */
  readonly isRotating: boolean | undefined;
  /** It is the file system of `/`. */
  readonly isRoot: boolean;
}

/** What a host has, and what is wanted of it. */
export interface HostPlan {
  readonly clusterName: string;
  /** One a disk. */
  readonly chunkServers: readonly Place[];
  readonly ssd: Place | undefined;
  readonly mountPoint: string | undefined;
  readonly wantsJournals: boolean;
}

/** Commands to be pasted, each preceded by what there is to say about it, as comments of a shell. */
export function advise(plan: HostPlan): string[] {
  return [
    ...plan.chunkServers.flatMap((place, index) =>
      chunkServerLines(plan, place, plan.chunkServers.slice(0, index)),
    ),
    ...(plan.wantsJournals
      ? ["# Write journals on an SSD are not supported yet: it can serve reads only."]
      : []),
    ...mountLines(plan),
  ];
}

function chunkServerLines({ clusterName, ssd }: HostPlan, place: Place, earlier: readonly Place[]): string[] {
  const { directory, device, isRoot, isRotating } = place;
  const sharing = earlier.find((other) => other.device === device);
  const tier = isRotating === false ? " -t 2" : "";
  return [
    ...(sharing === undefined
      ? []
      : [`# ${directory} is on the same disk as ${sharing.directory}: one chunk server a disk is enough.`]),
    ...(isRoot
      ? [
          `# ${directory} is on the disk of the system: a chunk server fills it; better give it one of its own.`,
        ]
      : []),
    ...(ssd?.device === device
      ? [`# ${directory} is on the SSD of the read cache: both will be slower, and the cache gets less.`]
      : []),
    `pstorage -c ${clusterName} make-cs -r ${quoted(directory)}${tier}`,
  ];
}

function mountLines({ clusterName, ssd, mountPoint }: HostPlan): string[] {
  if (mountPoint === undefined) return [];
  const mount = `pstorage-mount -c ${clusterName}`;
  if (ssd === undefined) return [`${mount} ${quoted(mountPoint)}`];
  const megabytes = cacheMegabytes(ssd);
  if (megabytes < CACHE_MIB_MIN) {
    return [
      `# ${ssd.directory} has too little room for a read cache: ${Math.max(0, megabytes)} MB beside a reserve.`,
      `${mount} ${quoted(mountPoint)}`,
    ];
  }
  const file = `${ssd.directory.replace(/\/$/, "")}/${clusterName}-cache`;
  return [
    ...(ssd.isRotating === true
      ? [`# ${ssd.directory} is on a rotating disk: a read cache there gains nothing.`]
      : []),
    `${mount} -C ${quoted(file)} -R ${megabytes} ${quoted(mountPoint)}`,
  ];
}

/** What is free, less the reserve. */
export function cacheMegabytes({ totalBytes, freeBytes }: Place): number {
  return Math.floor((freeBytes - SSD_RESERVE * totalBytes) / MIB);
}

/** As a shell takes it for one word. */
function quoted(path: string): string {
  return /^[\w./:@%+,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
