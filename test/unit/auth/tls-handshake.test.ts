import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { type ConnectionOptions, connect, TLSSocket, type TLSSocketOptions } from "node:tls";
import { test } from "vitest";
import { type HostCredential, PeerVerifier, tlsServerName } from "../../../src/auth/index.js";
import { CLUSTER, credentialFrom, DAY_MS, HOST, NOW_MS, OTHER_CLUSTER, testCredential } from "./fixtures.js";

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
    server.on("tlsClientError", (error) => end(error.message));
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

  assert.match(failure ?? "", /unable to verify|self-signed|signature|issuer|unknown ca/i);
});

test("a client with a certificate of another cluster is refused by the server", async () => {
  const { credential: foreign } = testCredential({ clusterId: OTHER_CLUSTER });

  const { failure } = await handshake(mds, { ...foreign, caPem: mds.caPem }, tlsServerName(CLUSTER));

  assert.match(failure ?? "", /unable to|self-signed|signature|issuer|unknown ca/i);
});

test("a client without a certificate is refused by the server", async () => {
  const { failure } = await handshake(mds, { caPem: mds.caPem }, tlsServerName(CLUSTER));

  assert.match(failure ?? "", /did not return a certificate|certificate required/i);
});

test("a client with an expired certificate is refused by the server", async () => {
  const { credential: expired } = credentialFrom(authority, ["client"], NOW_MS - 11 * 365 * DAY_MS);

  const { failure } = await handshake(mds, expired, tlsServerName(CLUSTER));

  assert.match(failure ?? "", /expired/i);
});

test("a server is refused under the name of another cluster", async () => {
  const { failure } = await handshake(mds, client, tlsServerName(OTHER_CLUSTER));

  assert.match(failure ?? "", /does not match certificate's altnames/i);
});

test("a host's certificate does not make it an authority for others", async () => {
  const { credential: other } = testCredential({ clusterId: OTHER_CLUSTER });
  const chained = { ...other, certPem: other.certPem + client.certPem, caPem: mds.caPem };

  const { failure } = await handshake(mds, chained, tlsServerName(CLUSTER));

  assert.notEqual(failure, undefined);
});
