/** Runs as executions of the state machine, named by session and run so that a repeated start changes nothing. */
import { ExecutionAlreadyExists, StartExecutionCommand, type SFNClient } from '@aws-sdk/client-sfn';
import { Fault } from '#core/ports/errors.ts';
import type { Runs } from '#core/ports/session-log.ts';

export function createRuns(sfn: SFNClient, stateMachineArn: string): Runs {
  return {
    async start(key, run) {
      // The same order as StartNextRun's input: Step Functions compares the text to tell a repeat from another input.
      const input = JSON.stringify({ session: key.session, thread: key.thread, run });
      try {
        await sfn.send(new StartExecutionCommand({ stateMachineArn, name: `${key.session}-${run}`, input }));
        return 'started';
      } catch (cause) {
        if (cause instanceof ExecutionAlreadyExists) return 'taken';
        throw new Fault('run_not_started', `the run ${run} of ${key.session} was not started`, { cause });
      }
    },
  };
}
