/**
 * The two kinds of X.509 certificate of a cluster, made by hand so that there is nothing in them but this:
 *
 * - the authority's, self-signed, which may sign hosts' certificates and nothing else;
 * - a host's, for both ends of TLS, with two alternative names in this order: `DNS:CLUSTER.pstorage`, the name every
 *   TLS client demands whatever address it dialled, and `URI:pstorage://CLUSTER/host/HOST?roles=R+R`, which says who
 *   it is.
 */

import { createHash, type KeyObject, sign } from "node:crypto";
import { assert, toUtf8 } from "../base/index.js";
import type { Random } from "../io/index.js";
import {
  bitString,
  explicit,
  implicit,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  time,
  truth,
  utf8String,
} from "./der.js";
import { formatRoles, type Role } from "./role.js";

/** How long a new certificate is good, and from when. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface HostSubject {
  readonly clusterId: string;
  readonly hostId: string;
  readonly roles: readonly Role[];
}

/** The name TLS clients demand of every server of the cluster (override the name that was dialled by it). */
export function tlsServerName(clusterId: string): string {
  return `${clusterId}.pstorage`;
}

/** Who the certificate is for, as its URI says. */
export function subjectUri({ clusterId, hostId, roles }: HostSubject): string {
  return `pstorage://${clusterId}/host/${hostId}?roles=${formatRoles(roles)}`;
}

/** Common name of the authority of a cluster. */
export function authorityName(clusterId: string): string {
  return `pstorage cluster ${clusterId}`;
}

/** A positive 127-bit serial number. */
export function randomSerial(random: Random): Uint8Array {
  const serial = random.bytes(16);
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}

/** DER of the authority's certificate. */
export function makeAuthorityCertificate(
  authority: { readonly clusterId: string; readonly key: KeyObject; readonly publicKey: Uint8Array },
  validity: Validity,
  serial: Uint8Array,
): Uint8Array {
  const name = authorityName(authority.clusterId);
  return signed(authority.key, {
    serial,
    validity,
    issuer: name,
    subject: name,
    publicKey: authority.publicKey,
    extensions: [
      extension("2.5.29.19", true, sequence(truth(), integer(Uint8Array.of(0)))),
      extension("2.5.29.15", true, bitString(Uint8Array.of(0x06), 1)),
      extension("2.5.29.14", false, octetString(keyId(authority.publicKey))),
    ],
  });
}

/** DER of a host's certificate. */
export function makeHostCertificate(
  authority: { readonly clusterId: string; readonly key: KeyObject; readonly publicKey: Uint8Array },
  subject: { readonly hostId: string; readonly roles: readonly Role[]; readonly publicKey: Uint8Array },
  validity: Validity,
  serial: Uint8Array,
): Uint8Array {
  const { clusterId } = authority;
  assert(subject.roles.length > 0, "a certificate has at least one role");
  const uri = subjectUri({ clusterId, hostId: subject.hostId, roles: subject.roles });
  const names = sequence(implicit(2, toUtf8(tlsServerName(clusterId))), implicit(6, toUtf8(uri)));
  return signed(authority.key, {
    serial,
    validity,
    issuer: authorityName(clusterId),
    subject: subject.hostId,
    publicKey: subject.publicKey,
    extensions: [
      extension("2.5.29.19", true, sequence()),
      extension("2.5.29.15", true, bitString(Uint8Array.of(0x80), 7)),
      extension("2.5.29.37", false, sequence(objectId("1.3.6.1.5.5.7.3.1"), objectId("1.3.6.1.5.5.7.3.2"))),
      extension("2.5.29.17", false, names),
      extension("2.5.29.14", false, octetString(keyId(subject.publicKey))),
      extension("2.5.29.35", false, sequence(implicit(0, keyId(authority.publicKey)))),
    ],
  });
}

interface Template {
  readonly serial: Uint8Array;
  readonly validity: Validity;
  readonly issuer: string;
  readonly subject: string;
  readonly publicKey: Uint8Array;
  readonly extensions: readonly Uint8Array[];
}

function signed(issuerKey: KeyObject, template: Template): Uint8Array {
  const ecdsaWithSha256 = sequence(objectId("1.2.840.10045.4.3.2"));
  const { notBeforeMs, notAfterMs } = template.validity;
  const body = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(template.serial),
    ecdsaWithSha256,
    distinguishedName(template.issuer),
    sequence(time(notBeforeMs), time(notAfterMs)),
    distinguishedName(template.subject),
    template.publicKey,
    explicit(3, sequence(...template.extensions)),
  );
  return sequence(body, ecdsaWithSha256, bitString(sign("sha256", body, issuerKey)));
}

function distinguishedName(commonName: string): Uint8Array {
  const attribute = (oid: string, text: string) => set(sequence(objectId(oid), utf8String(text)));
  return sequence(attribute("2.5.4.10", "pstorage"), attribute("2.5.4.3", commonName));
}

function extension(oid: string, isCritical: boolean, content: Uint8Array): Uint8Array {
  return isCritical
    ? sequence(objectId(oid), truth(), octetString(content))
    : sequence(objectId(oid), octetString(content));
}

/** RFC 7093, method 1. The point of an uncompressed P-256 key is the last 65 bytes of its DER. */
function keyId(publicKey: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(publicKey.subarray(-65)).digest().subarray(0, 20));
}
