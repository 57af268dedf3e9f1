/** Runs as executions of the state machine, named by session, thread and run so that a repeated start changes nothing. */
import {
  ExecutionAlreadyExists,
  ListExecutionsCommand,
  StartExecutionCommand,
  type SFNClient,
} from '@aws-sdk/client-sfn';
import { Fault } from '#core/ports/errors.ts';
import { runName, type RunList, type Runs } from '#core/ports/session-log.ts';

export function createRuns(sfn: SFNClient, stateMachineArn: string): Runs {
  return {
    async start(key, run) {
      // The same order as StartNextRun's input: Step Functions compares the text to tell a repeat from another input.
      const input = JSON.stringify({ session: key.session, thread: key.thread, run });
      try {
        await sfn.send(new StartExecutionCommand({ stateMachineArn, name: runName(key, run), input }));
        return 'started';
      } catch (cause) {
        if (cause instanceof ExecutionAlreadyExists) return 'taken';
        throw new Fault('run_not_started', `the run ${run} of ${key.session} was not started`, { cause });
      }
    },
  };
}

export function createRunList(sfn: SFNClient, stateMachineArn: string): RunList {
  return {
    async *running() {
      let nextToken: string | undefined;
      do {
        const command = new ListExecutionsCommand({
          ...{ stateMachineArn, statusFilter: 'RUNNING', maxResults: 1000, nextToken },
        });
        const page = await sfn.send(command).catch(notListed);
        yield (page.executions ?? []).flatMap(({ name }) => name ?? []);
        ({ nextToken } = page);
      } while (nextToken !== undefined);
    },
  };
}

function notListed(cause: unknown): never {
  throw new Fault('run_not_started', 'the executions were not listed', { cause });
}
