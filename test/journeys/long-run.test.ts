import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { createStamp } from '#aws/stamp.ts';
import { FIRST_POSITION, SessionId, ThreadId } from '#contract/ids.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import { sweepNow } from '#test/faults/sweep.ts';
import { answerWith, claim, given, send, toolUse, type Scenario } from '#test/functions/core/given.ts';
import { bash } from '#test/journeys/scripts.ts';
import { ofType, startService, type Service } from '#test/journeys/service.ts';
import { propertyRuns } from '#test/property-runs.ts';
import { tableIn } from '#test/runtime/clients.ts';
import { engineClient } from '#test/runtime/engine-client.ts';

/** Two more than one execution may have. */
const TURNS = 52;
/** Parallel calls of each turn, enough for a history longer than one execution may have. */
const CALLS = 8;
/** The last turns, which the service takes. Those before are written into the log, because 400 calls take half a minute. */
const TAKEN_TURNS = propertyRuns(TURNS);
const COMMAND = 'echo x >> f';

describe('a run that is longer than one execution may be', () => {
  let service: Service;
  beforeAll(async () => {
    let turn = TURNS - TAKEN_TURNS;
    service = await startService({
      script: () => {
        turn += 1;
        if (turn > TURNS) return { text: 'done' };
        return { tools: Array.from({ length: CALLS }, () => bash(COMMAND)) };
      },
    });
  });
  afterAll(async () => service.close());

  /** Appends a message and the first turns of its run, decided as the service's functions decide. Nothing runs yet. */
  async function begin(session: string): Promise<void> {
    const { runtime } = service;
    const dynamodb = engineClient(runtime);
    const log = createSessionLog({
      dynamodb,
      logTable: tableIn(runtime, 'LOG_TABLE'),
      recordsTable: tableIn(runtime, 'RECORDS_TABLE'),
      content: { put: () => Promise.reject(new Error('too large')), get: () => Promise.reject(new Error('too large')) },
      newName: randomUUID,
    });
    const stamp = createStamp();
    const key = { session: SessionId.parse(session), thread: ThreadId.parse(session.replace(/^sesn_/, 'sthr_')) };
    const before = await log.read(key, FIRST_POSITION);
    let scenario = given(
      before.entries.map(({ entry }) => entry),
      { ...stamp, advance: () => undefined },
    );

    async function append(next: Scenario): Promise<void> {
      const { entries, head: after } = scenario;
      const added = next.entries.slice(entries.length);
      const appended = await log.append({ key, after, entries: added, state: next.head.state, at: stamp.now() });
      expect(appended).toMatchObject({ status: 'appended', head: next.head });
      scenario = next;
    }

    await append(scenario.when(send('work')));
    for (let turn = 1; turn <= TURNS - TAKEN_TURNS; turn += 1) {
      const request = stamp.eventId();
      const blocks = Array.from({ length: CALLS }, (_, call) =>
        toolUse(`toolu_${turn}_${call}`, 'bash', { command: COMMAND }),
      );
      const asked = scenario.when(claim(request)).when(answerWith({ stopReason: 'tool_use', blocks }, request));
      await append(
        asked.head.state.calls.reduce(
          (made, { id }) => made.when({ do: 'result', call: id, content: [], isError: false }),
          asked,
        ),
      );
    }
    dynamodb.destroy();
  }

  it('continues in the next execution, and the client sees no difference', async () => {
    const session = await service.session();
    await begin(session);
    // It finds a session that is to run and has no execution.
    await sweepNow(service);
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
