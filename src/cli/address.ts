import { isIP } from "node:net";
import { storageError } from "../base/index.js";
import { MDS_PORT } from "../discovery/index.js";

/** The address of an MDS on the command line, `IP[:PORT]`, as `IP:PORT`. Throws `invalid`. */
export function parseMdsAddress(text: string): string {
  const { ip, port = MDS_PORT } = split(text);
  // The next port is used too.
  if (port < 1 || port > 65534) throw storageError("invalid", `"${text}": the port must be 1 to 65534`);
  return join(ip, port);
}

/** The address of a chunk server on the command line, `IP[:PORT]`, as `IP:PORT`; port 0: a random one at each start. */
export function parseCsAddress(text: string): string {
  const { ip, port = 0 } = split(text);
  if (port > 65535) throw storageError("invalid", `"${text}": the port must be 0 to 65535, where 0 is any`);
  return join(ip, port);
}

/** The parts of `IP:PORT`. */
export function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const { ip, port = 0 } = split(address);
  return { host: ip, port };
}

function split(text: string): { readonly ip: string; readonly port: number | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  const ip = bracketed ?? plain ?? text.trim();
  if (isIP(ip) === 0 || (bracketed !== undefined && isIP(ip) !== 6)) {
    throw storageError(
      "invalid",
      `"${text}" is no address: give IP or IP:PORT, for example 10.37.130.1:2510`,
    );
  }
  return { ip, port: port === undefined ? undefined : Number(port) };
}

function join(ip: string, port: number): string {
  return isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
}
