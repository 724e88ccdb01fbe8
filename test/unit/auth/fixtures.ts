import { createAuthority } from "../../../src/auth/authority.js";
import {
  type ClusterSecrets,
  createClusterSecrets,
  type EnrollmentCalls,
  EnrollmentServer,
  type EnrollmentServerOptions,
  generateHostKey,
  type HostCredential,
  issueHostCertificate,
  makeCredential,
  RateLimiter,
  type Role,
} from "../../../src/auth/index.js";
import { certificateDer } from "../../../src/auth/peer-verifier.js";
import { Prng, storageError } from "../../../src/base/index.js";
import type { Clock, Disk, Random } from "../../../src/io/index.js";

export const CLUSTER = "3f1b8a52-64a0-4b8e-9d53-0a4c6f2e7b11";
export const OTHER_CLUSTER = "00000000-64a0-4b8e-9d53-0a4c6f2e7b22";
export const HOST = "0123456789abcdef";
export const PASSWORD = "correct horse battery staple";
export const ADDRESS = "10.0.0.7:41234";
/** TLS looks at the real clock, so the test clock starts where it stands. */
export const NOW_MS = Date.now();
export const DAY_MS = 86_400_000;

/** Time that moves when the test says so. */
export class TestClock implements Clock {
  ms = 0;

  monotonicMs(): number {
    return this.ms;
  }

  wallMs(): number {
    return NOW_MS + this.ms;
  }

  after(): never {
    throw new Error("nothing in auth sets a timer");
  }

  sleep(): never {
    throw new Error("nothing in auth sleeps");
  }
}

export function testRandom(seed = 1): Random {
  const prng = new Prng(seed);
  return { bytes: (count) => prng.bytes(count), uint32: () => prng.uint32() };
}

/** Small files in memory; remembers the mode of each file and directory. */
export function memoryDisk() {
  const files = new Map<string, { bytes: Uint8Array; mode: number | undefined }>();
  const directories = new Map<string, number | undefined>();
  const disk: Pick<Disk, "readFile" | "replaceFile" | "makeDirectory"> = {
    async readFile(path) {
      const file = files.get(path);
      if (file === undefined) throw storageError("not_found", path);
      return file.bytes;
    },
    async replaceFile(path, bytes, _label, mode) {
      files.set(path, { bytes, mode });
    },
    async makeDirectory(path, _label, mode) {
      directories.set(path, mode);
    },
  };
  return { disk: disk as Disk, files, directories };
}

const secretsOf = new Map<string, Promise<ClusterSecrets>>();

/** Made once for each cluster: the password is stretched on purpose. */
export function testSecrets(clusterId = CLUSTER): Promise<ClusterSecrets> {
  const made =
    secretsOf.get(clusterId) ??
    createClusterSecrets(clusterId, PASSWORD, { nowMs: NOW_MS, random: testRandom(7) });
  secretsOf.set(clusterId, made);
  return made;
}

/** A credential without the ceremony. */
export function testCredential(options: { clusterId?: string; roles?: Role[]; issuedAtMs?: number } = {}) {
  const { clusterId = CLUSTER, roles = ["client"], issuedAtMs = NOW_MS } = options;
  const context = { nowMs: issuedAtMs, random: testRandom(3) };
  const authority = createAuthority(clusterId, context);
  return { authority, ...credentialFrom(authority, roles, issuedAtMs) };
}

export function credentialFrom(
  authority: { caKeyPem: string; caCertificatePem: string },
  roles: readonly Role[],
  issuedAtMs = NOW_MS,
): { credential: HostCredential; hostCertificate: Uint8Array } {
  const key = generateHostKey();
  const request = { hostId: HOST, roles, publicKey: key.publicKey };
  const issued = issueHostCertificate(authority, request, { nowMs: issuedAtMs, random: testRandom(4) });
  const certificates = {
    caCertificate: certificateDer(authority.caCertificatePem),
    hostCertificate: issued.certificate,
  };
  const credential = makeCredential(key.privateKeyPem, certificates, issuedAtMs);
  return { credential, hostCertificate: issued.certificate };
}

/** An MDS and the wire to it. */
export async function testServer(options: Partial<EnrollmentServerOptions> = {}) {
  const secrets = await testSecrets();
  const clock = new TestClock();
  const server = new EnrollmentServer({
    secrets: () => secrets,
    clock,
    random: testRandom(),
    limiter: new RateLimiter(),
    ...options,
  });
  const calls: EnrollmentCalls = {
    start: (message) => server.start(message, ADDRESS),
    finish: async (message) => server.finish(message, ADDRESS),
  };
  return { secrets, clock, server, calls };
}

/** The code of the failure that `run` ends with; any other end fails the test. */
export async function failureCode(run: () => unknown): Promise<string> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.name === "StorageError") return String(error.code);
    throw error;
  }
  throw new Error("it succeeded");
}
