/**
 * Programs that some tests need and npm cannot install. Where one is missing, its tests are skipped, and one line at
 * the end of the run says what was not tested and what to install. With `CI=true` the run fails instead.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bubblewrapUsable } from '#infra/local/tasks/bubblewrap.ts';
import { createTaskLimits } from '#infra/local/tasks/task-limits.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Whether bubblewrap works here. Tests of its isolation need it. */
    readonly hasBubblewrap: boolean;
    /** Whether cgroups that limit memory can be created here. */
    readonly limitsTasks: boolean;
    /** Whether git is here with the program that serves repositories over HTTP. */
    readonly hasGit: boolean;
  }
}

export async function setup(project: TestProject): Promise<(() => void) | undefined> {
  const bubblewrap = await bubblewrapUsable();
  const limitsTasks = createTaskLimits() !== null;
  project.provide('hasBubblewrap', bubblewrap.usable);
  project.provide('limitsTasks', limitsTasks);
  const hasGit = servesGit();
  project.provide('hasGit', hasGit);
  const missing = [
    ...(bubblewrap.usable ? [] : [`the walls of sandboxes (${bubblewrap.reason})`]),
    ...(limitsTasks ? [] : ['their limit of memory (that needs root and a kernel with cgroups for memory)']),
    ...(hasGit ? [] : ['repositories (that needs git with `git http-backend`)']),
  ];
  if (missing.length === 0) return undefined;
  const message = `Not tested: ${missing.join('; ')}.`;
  if (process.env['CI'] === 'true') throw new Error(message);
  return () => void process.stderr.write(`\n${message}\n`);
}

function servesGit(): boolean {
  try {
    const programs = execFileSync('git', ['--exec-path'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return existsSync(join(programs.trim(), 'git-http-backend'));
  } catch {
    return false;
  }
}
