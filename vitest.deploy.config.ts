import { defineConfig } from 'vitest/config';

/** The deployment test installs an AWS emulator and deploys to it: minutes, not milliseconds. */
export default defineConfig({
  test: {
    include: ['test/deploy/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    allowOnly: false,
  },
});
