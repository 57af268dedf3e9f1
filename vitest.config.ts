import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Machines are busy: what is waited for may take long, and what must not happen is asserted at once. A test gives no
 * shorter limit of its own.
 */
const common = {
  testTimeout: 300_000,
  hookTimeout: 300_000,
  allowOnly: false,
  expect: { poll: { timeout: 60_000 } },
  // One worker loads a module once for all of its files.
  isolate: false,
};

/** Beside the contract's other tests, and alone among them in needing the whole service. */
const CORE_OPERATIONS = 'test/contract/core-operations.test.ts';

/** Files whose tests start programs of their own, and one that is small and takes long. */
const TAKES_LONG = /\/test\/(?:(?:conformance|infra|sandbox-task|egress-proxy)\/|regular-expressions\.test\.ts$)/;

const rankOf = ({ project, moduleId }: TestSpecification): number => {
  if (project.name === 'service') return 0;
  return TAKES_LONG.test(moduleId) ? 1 : 2;
};

/**
 * Files that start the whole service come first, then those that start other programs: both wait for much of their time,
 * and the short files fill the rest.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer's method of the same name
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}

export default defineConfig({
  test: {
    globalSetup: ['test/needs.ts', 'test/run-cache.ts', 'test/property-runs.ts'],
    // More than a small machine has cores, because a file of the service waits for retries and leases half of its time.
    maxWorkers: Math.max(5, Math.floor(availableParallelism() * 1.5)),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...common,
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: ['test/deploy/**', 'test/journeys/**', 'test/faults/**', CORE_OPERATIONS],
        },
      },
      {
        test: {
          ...common,
          name: 'service',
          include: ['test/journeys/**/*.test.ts', 'test/faults/**/*.test.ts', CORE_OPERATIONS],
          globalSetup: 'test/synth.ts',
        },
      },
    ],
  },
});
