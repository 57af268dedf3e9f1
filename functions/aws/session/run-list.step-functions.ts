/** The executions that run. */
import { ListExecutionsCommand, type SFNClient } from '@aws-sdk/client-sfn';
import { Fault } from '#core/ports/errors.ts';
import type { RunList } from '#core/ports/session-log.ts';

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
