import { defineConfig } from 'vitest/config';

/** Machines are noisy: what is waited for may take long, and what must not happen is asserted at once. */
const common = { testTimeout: 30_000, hookTimeout: 60_000, allowOnly: false, expect: { poll: { timeout: 10_000 } } };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: 'parts',
          include: ['test/**/*.test.ts'],
          exclude: ['test/deploy/**', 'test/journeys/**', 'test/faults/**'],
        },
      },
      {
        test: {
          ...common,
          name: 'service',
          include: ['test/journeys/**/*.test.ts', 'test/faults/**/*.test.ts'],
          globalSetup: 'test/synth.ts',
        },
      },
    ],
  },
});
