/** Changes a session, and starts the run that answers. */
import type { RunPorts } from '#core/session/repair.ts';
import { createRuns } from '#aws/session/runs.step-functions.ts';
import type { SessionLogOptions } from '#aws/session/session-log.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp } from '#aws/stamp.ts';
import { logIn } from '#aws/worlds/sessions.ts';

export function runPorts(env: Env, tables: SessionLogOptions): RunPorts {
  const runs = createRuns(env, setting(env, 'RUN_STATE_MACHINE_ARN'));
  return { log: logIn(tables, runs), runs, stamp: createStamp() };
}
