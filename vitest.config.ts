import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** What takes minutes begins first, so that nothing long is left to one worker at the end. Longest first. */
const LONG = [
  "cluster/survival",
  "cluster/small-files",
  "cluster/disaster",
  "cluster/commands",
  "cluster/bad-disks",
  "cluster/growth",
  "cluster/chaos",
  "cluster/disks",
  "cluster/failures",
  "cluster/files",
  "cluster/corruption",
  "mount/real-work",
  "mount/faults",
  "unit/cs/chain-random",
  "unit/cs/disk-faults",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONG.findIndex((name) => moduleId.includes(`test/${name}.test.ts`));
      return found === -1 ? LONG.length : found;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // For what hangs, not for what is slow: a machine may have other things to do.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    sequence: { sequencer: LongestFirst },
    silent: "passed-only",
  },
});
