import { defineConfig } from 'vitest/config';

/** These tests install cfn-lint and an AWS emulator, and deploy to the latter: minutes, not milliseconds. */
export default defineConfig({
  test: {
    globalSetup: './test/run-cache.ts',
    include: ['test/deploy/**/*.test.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    allowOnly: false,
  },
});
