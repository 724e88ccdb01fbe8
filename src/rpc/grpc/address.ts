import { storageError } from "../../base/index.js";

/** Reads `IP:PORT`, `[IP]:PORT` or `NAME:PORT`. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^\[?([0-9A-Za-z.:_-]{1,255}?)\]?:(\d{1,5})$/.exec(address) ?? [];
  if (host === undefined || port === undefined || Number(port) > 65535) {
    throw storageError("invalid", `"${address.slice(0, 64)}" is not IP:PORT`);
  }
  return { host, port: Number(port) };
}

export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
