import { existsSync } from "node:fs";
import { errorLine } from "../error-line.js";
import { HostFiles } from "../host-files.js";
import { serviceName } from "../service-control.js";
import type { Lab, LabService, Report } from "./lab.js";

const LOOK_MS = 500;
/** Before a daemon that ended by itself is started again. */
const RESTART_PAUSE_MS = 2000;
/** A daemon that keeps ending stays down. */
const RESTARTS_MAX = 5;

interface Fall {
  count: number;
  restartAtMs: number | undefined;
}

/**
 * Watches over the daemons of a lab until the signal, or until somebody stopped them all. One that ended by itself is
 * started again after a pause, a bounded number of times; one that was stopped on purpose stays stopped.
 */
export async function superviseLab(lab: Lab, report: Report, signal: AbortSignal): Promise<void> {
  const { clock } = lab.host(1).world;
  const falls = new Map<string, Fall>();
  while (!signal.aborted) {
    await clock.sleep("cli.lab.supervise", LOOK_MS, signal);
    if (signal.aborted) return;
    const services = await lab.services();
    const idle = services.filter(({ pid }) => pid === undefined);
    const fallen = idle.filter((service) => hasCrashed(lab, service));
    if (idle.length === services.length && fallen.length === 0) {
      report(services.length === 0 ? "the lab is gone" : "all daemons were stopped");
      return;
    }
    for (const service of fallen) await care(lab, service, falls, report);
  }
}

/** A daemon that is stopped in order takes its process id file with it. */
function hasCrashed(lab: Lab, { kind, clusterName, id, host }: LabService): boolean {
  return existsSync(new HostFiles(lab.root(host)).pidFile(kind, clusterName, id));
}

async function care(lab: Lab, service: LabService, falls: Map<string, Fall>, report: Report): Promise<void> {
  const { clock } = lab.host(1).world;
  const key = `${service.kind}.${service.host}`;
  const fall = falls.get(key) ?? { count: 0, restartAtMs: undefined };
  falls.set(key, fall);
  if (fall.count >= RESTARTS_MAX) return;
  if (fall.restartAtMs === undefined) {
    fall.restartAtMs = clock.monotonicMs() + RESTART_PAUSE_MS;
    report(
      `${serviceName(service)} ended by itself (log: ${service.directory}/logs); starting it again in 2 s`,
    );
    return;
  }
  if (clock.monotonicMs() < fall.restartAtMs) return;
  fall.restartAtMs = undefined;
  fall.count += 1;
  try {
    await lab.startOne(service.kind, service.host);
    report(`${serviceName(service)} started`);
  } catch (error) {
    report(errorLine(error));
  }
  if (fall.count >= RESTARTS_MAX)
    report(`${serviceName(service)} is not started a ${fall.count + 1}th time if it ends again`);
}
