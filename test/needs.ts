/**
 * Programs that some tests need and npm cannot install. Where one is missing, its tests are skipped, and one line at
 * the end of the run says what was not tested and what to install. With `CI=true` the run fails instead.
 */
import type { TestProject } from 'vitest/node';
import { bubblewrapUsable } from '#infra/local/tasks/bubblewrap.ts';
import { createTaskLimits } from '#infra/local/tasks/task-limits.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Whether bubblewrap works here. Tests of its isolation need it. */
    readonly hasBubblewrap: boolean;
    /** Whether cgroups that limit memory can be created here. */
    readonly limitsTasks: boolean;
  }
}

export async function setup(project: TestProject): Promise<(() => void) | undefined> {
  const bubblewrap = await bubblewrapUsable();
  const limitsTasks = createTaskLimits() !== null;
  project.provide('hasBubblewrap', bubblewrap.usable);
  project.provide('limitsTasks', limitsTasks);
  const missing = [
    ...(bubblewrap.usable ? [] : [`the walls of sandboxes (${bubblewrap.reason})`]),
    ...(limitsTasks ? [] : ['their limit of memory (that needs root and a kernel with cgroups for memory)']),
  ];
  if (missing.length === 0) return undefined;
  const message = `Not tested: ${missing.join('; ')}.`;
  if (process.env['CI'] === 'true') throw new Error(message);
  return () => void process.stderr.write(`\n${message}\n`);
}
