import { defineConfig } from 'vitest/config';

/** Machines are noisy: what is waited for may take long, and what must not happen is asserted at once. */
const common = { testTimeout: 30_000, hookTimeout: 60_000, allowOnly: false, expect: { poll: { timeout: 10_000 } } };

/** Beside the contract's other tests, and alone among them in needing the whole service. */
const CORE_OPERATIONS = 'test/contract/core-operations.test.ts';

export default defineConfig({
  test: {
    globalSetup: 'test/needs.ts',
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
