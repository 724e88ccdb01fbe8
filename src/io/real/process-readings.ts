/** What this process has cost so far. */
export function processReadings(): {
  /** Processor time, user and system. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** When it began, s since 1970. */
  readonly startSeconds: number;
} {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    startSeconds: Date.now() / 1000 - process.uptime(),
  };
}
