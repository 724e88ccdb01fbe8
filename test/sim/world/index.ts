/** The simulated world: virtual time, hosts with disks that lose power, a network that is cut. */
export {
  type DiskFaultEffect,
  type DiskFaultRule,
  DiskFaults,
  type DiskOperation,
  type DiskTiming,
} from "./disk-faults.js";
export type { ClockFaults } from "./sim-clock.js";
export { SimHost } from "./sim-host.js";
export type { SimMedia } from "./sim-media.js";
export type { NetworkFaults, SimNetwork } from "./sim-network.js";
export { SimWorld } from "./sim-world.js";
export { Simulator, type SimulatorOptions, type WaitOptions } from "./simulator.js";
