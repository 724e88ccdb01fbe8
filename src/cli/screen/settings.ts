import { storageError } from "../../base/index.js";
import type { SpaceThresholds } from "./header.js";

/** What `etc/pstorage/pstorage.conf` says about `stat` and `top`; options of the command come before it. */
export interface ScreenSettings {
  readonly isNumeric: boolean;
  readonly refreshMs: number;
  readonly thresholds: SpaceThresholds;
  /** As written: `KEY[=inv],...`. */
  readonly mdsSort: string;
  readonly csSort: string;
  readonly clientSort: string;
}

export const SCREEN_DEFAULTS: ScreenSettings = {
  isNumeric: false,
  refreshMs: 2000,
  thresholds: { bytes: 1024 * 1024 * 1024, percent: 20 },
  mdsSort: "",
  csSort: "",
  clientSort: "",
};

/** Shorter than that a screen cannot be read, and the MDS has other things to do. */
export const REFRESH_MS_MIN = 200;

const MB = 1024 * 1024;

/** Reads lines of `name = value`; `#` begins a comment, names of other programs are skipped. `path` is for complaints. */
export function parseSettings(text: string, path: string): ScreenSettings {
  let settings = SCREEN_DEFAULTS;
  for (const line of text.split("\n")) {
    const [, name, value] = /^\s*([a-z.]+)\s*(?:=|\s)\s*(.*?)\s*$/.exec(line.replace(/#.*$/, "")) ?? [];
    if (name === undefined || value === undefined) continue;
    settings = withSetting(settings, name, value, path);
  }
  return settings;
}

function withSetting(settings: ScreenSettings, name: string, value: string, path: string): ScreenSettings {
  const number = (): number => {
    if (/^\d{1,9}$/.test(value)) return Number(value);
    throw storageError("invalid", `${path}: ${name} must be a number, not "${value}"`);
  };
  switch (name) {
    case "numeric.addrs":
      return { ...settings, isNumeric: /^(1|yes|true|on)$/i.test(value) };
    case "refresh.time":
      return { ...settings, refreshMs: Math.max(REFRESH_MS_MIN, number()) };
    case "freespace.threshold.mb":
      return { ...settings, thresholds: { ...settings.thresholds, bytes: number() * MB } };
    case "freespace.threshold.percent":
      return { ...settings, thresholds: { ...settings.thresholds, percent: number() } };
    case "mds.sort":
      return { ...settings, mdsSort: value };
    case "cs.sort":
      return { ...settings, csSort: value };
    case "clnt.sort":
      return { ...settings, clientSort: value };
    default:
      return settings;
  }
}
