import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { connect, createServer } from "node:tls";
import { test } from "vitest";
import { makeHostCertificate, randomSerial } from "../../../src/auth/certificate.js";
import { readPrivateKey } from "../../../src/auth/host-key.js";
import {
  generateHostKey,
  type HostCredential,
  PeerVerifier,
  tlsServerName,
} from "../../../src/auth/index.js";
import { certificatePem } from "../../../src/auth/peer-verifier.js";
import {
  CLUSTER,
  credentialFrom,
  DAY_MS,
  HOST,
  NOW_MS,
  OTHER_CLUSTER,
  testCredential,
  testRandom,
} from "./fixtures.js";

// The real TLS of Node over a pipe in memory: what OpenSSL thinks of our certificates.

const { authority, credential: mds } = testCredential({ roles: ["mds"] });
const { credential: client } = credentialFrom(authority, ["client"]);

/** Two ends of a connection. */
function pipe(): [Duplex, Duplex] {
  const end = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        other().push(chunk);
        done();
      },
      final(done) {
        other().push(null);
        done();
      },
    });
  const a: Duplex = end(() => b);
  const b: Duplex = end(() => a);
  return [a, b];
}

interface Outcome {
  /** What went wrong at either end; undefined if both are satisfied. */
  readonly failure: string | undefined;
  /** DER of the client's certificate as the server saw it. */
  readonly clientCertificate: Uint8Array | undefined;
}

/** Shakes hands; the server then sends a byte, so that the client of TLS 1.3 hears of a refusal first. */
function handshake(
  serverCredential: HostCredential,
  clientCredential: Pick<HostCredential, "caPem"> & Partial<HostCredential>,
  serverName: string,
): Promise<Outcome> {
  const [near, far] = pipe();
  const { keyPem: key, certPem: cert, caPem: ca } = serverCredential;
  const server = createServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true });
  return new Promise((resolve) => {
    let clientCertificate: Uint8Array | undefined;
    server.on("secureConnection", (socket) => {
      clientCertificate = socket.getPeerCertificate().raw;
      socket.on("error", () => undefined);
      socket.write("!");
    });
    // When Node refuses a client it hangs up, and keeps the reason in the socket.
    server.on("tlsClientError", (error, socket) => end(`${error.message}: ${socket.authorizationError}`));
    server.emit("connection", far);
    const socket = connect({ socket: near, servername: serverName, ...clientTls(clientCredential) });
    socket.on("error", (error) => end(error.message));
    socket.on("data", () => end(undefined));
    const end = (failure: string | undefined): void => {
      socket.destroy();
      far.destroy();
      resolve({ failure, clientCertificate });
    };
  });
}

function clientTls({ caPem, certPem, keyPem }: Pick<HostCredential, "caPem"> & Partial<HostCredential>) {
  return certPem === undefined ? { ca: caPem } : { ca: caPem, cert: certPem, key: keyPem };
}

test("two hosts of a cluster accept each other whatever address was dialled", async () => {
  const { failure, clientCertificate } = await handshake(mds, client, tlsServerName(CLUSTER));

  assert.equal(failure, undefined);
  const peer = new PeerVerifier(mds.caPem).identify(clientCertificate ?? new Uint8Array(), NOW_MS);
  assert.deepEqual([peer.hostId, peer.roles], [HOST, ["client"]]);
});

test("a server of another cluster is refused by the client", async () => {
  const { credential: foreign } = testCredential({ clusterId: OTHER_CLUSTER, roles: ["mds"] });

  const { failure } = await handshake({ ...foreign, caPem: mds.caPem }, client, tlsServerName(CLUSTER));

  assert.match(
    failure ?? "",
    /unable to verify the first certificate|unable to get local issuer certificate/,
  );
});

test("a client with a certificate of another cluster is refused by the server", async () => {
  const { credential: foreign } = testCredential({ clusterId: OTHER_CLUSTER });

  const { failure } = await handshake(mds, { ...foreign, caPem: mds.caPem }, tlsServerName(CLUSTER));

  assert.match(failure ?? "", /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT/);
});

test("a client without a certificate is refused by the server", async () => {
  const { failure } = await handshake(mds, { caPem: mds.caPem }, tlsServerName(CLUSTER));

  assert.match(failure ?? "", /did not return a certificate|certificate required/i);
});

test("a client with an expired certificate is refused by the server", async () => {
  const { credential: expired } = credentialFrom(authority, ["client"], NOW_MS - 11 * 365 * DAY_MS);

  const { failure } = await handshake(mds, expired, tlsServerName(CLUSTER));

  assert.match(failure ?? "", /CERT_HAS_EXPIRED/);
});

test("a server is refused under the name of another cluster", async () => {
  const { failure } = await handshake(mds, client, tlsServerName(OTHER_CLUSTER));

  assert.match(failure ?? "", /does not match certificate's altnames/i);
});

test("a certificate that a host signed with its own key is refused", async () => {
  const key = generateHostKey();
  const { keyPem, certificate } = client;
  const forged = makeHostCertificate(
    { clusterId: CLUSTER, key: readPrivateKey(keyPem), publicKey: certificate.publicKey },
    { hostId: HOST, roles: ["admin"], publicKey: key.publicKey },
    { notBeforeMs: NOW_MS - DAY_MS, notAfterMs: NOW_MS + DAY_MS },
    randomSerial(testRandom()),
  );
  const certPem = certificatePem(forged) + client.certPem;

  const { failure } = await handshake(
    mds,
    { caPem: mds.caPem, certPem, keyPem: key.privateKeyPem },
    tlsServerName(CLUSTER),
  );

  assert.match(failure ?? "", /CERT_SIGNATURE_FAILURE|UNABLE_TO/);
});
