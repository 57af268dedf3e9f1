/** What it takes to send a session an event, and to start the run that answers it. */
import { SFNClient } from '@aws-sdk/client-sfn';
import type { Sending } from '#core/session/send.ts';
import { createRuns } from '#aws/session/runs.step-functions.ts';
import { createSessionLog, type SessionLogOptions } from '#aws/session/session-log.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp } from '#aws/stamp.ts';

export function sendingWorld(env: Env, tables: SessionLogOptions): Sending {
  return {
    log: createSessionLog(tables),
    runs: createRuns(new SFNClient(), setting(env, 'RUN_STATE_MACHINE_ARN')),
    stamp: createStamp(),
  };
}
