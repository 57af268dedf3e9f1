import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSound } from '#test/faults/stored-log.ts';
import { bash } from '#test/journeys/scripts.ts';
import { ofType, startService, type Service } from '#test/journeys/service.ts';

const TURNS = 60;
/** Parallel calls of each turn, enough for a history longer than one execution may have. */
const CALLS = 8;

describe('a run that is longer than one execution may be', () => {
  let service: Service;
  beforeAll(async () => {
    let turn = 0;
    service = await startService({
      script: () => {
        turn += 1;
        if (turn > TURNS) return { text: 'done' };
        return { tools: Array.from({ length: CALLS }, () => bash('echo x >> f')) };
      },
    });
  });
  afterAll(async () => service.close());

  it('continues in the next execution, and the client sees no difference', async () => {
    const session = await service.session();
    await service.send(session, 'work');
    await service.idle(session);
    const events = await expectSound(service, session);
    expect(ofType(events, 'agent.tool_result').filter((result) => result.is_error === true)).toEqual([]);
    expect(ofType(events, 'agent.tool_result')).toHaveLength(TURNS * CALLS);
    expect(ofType(events, 'session.status_running')).toHaveLength(1);
    const [machine] = service.runtime.template.machines;
    const names = service.runtime.aws.stepFunctions.executions(machine?.arn ?? '').map((execution) => execution.name);
    // Earlier files may have used the same runtime.
    expect(names.filter((name) => name.startsWith(session)).toSorted()).toEqual([`${session}-1`, `${session}-2`]);
  });
});
