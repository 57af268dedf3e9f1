/** Requests and executions at the same time. No wake-up is lost, and hands are used once. */
import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSound } from '#test/faults/stored-log.ts';
import { marking } from '#test/faults/side-effect.ts';
import { echo } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';
import { clientOf } from '#test/runtime/clients.ts';
import { propertyRuns } from '#test/property-runs.ts';

describe('a race', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(async () => service.close());

  async function answered(session: string): Promise<readonly string[]> {
    const events = await expectSound(service, session);
    const taken = ofType(events, 'user.message');
    expect(taken.every((message) => message.processed_at !== null)).toBe(true);
    return taken.map(textOf);
  }

  it('of many messages ends with each of them taken once', async () => {
    service.standIn.script(echo);
    const session = await service.session();
    const texts = Array.from({ length: 8 }, (_, index) => `message ${index}`);
    await Promise.all(texts.map((text) => service.send(session, text)));
    await service.idle(session);
    expect((await answered(session)).toSorted()).toEqual(texts);
    const last = service.standIn.requests.at(-1)?.request;
    expect(JSON.stringify(last?.messages)).toContain('message 7');
  });

  it('between a message and the end of a turn never leaves the message unanswered', async () => {
    service.standIn.script(echo);
    const session = await service.session();
    const rounds = propertyRuns(40);
    for (let round = 0; round < rounds; round += 1) {
      const quick = service.send(session, `first ${round}`);
      // The sends are spread over the turn's few milliseconds, its last append included.
      await new Promise((resolve) => setTimeout(resolve, (round * 40) / rounds));
      await Promise.all([quick, service.send(session, `second ${round}`)]);
      await service.idle(session);
    }
    expect(await answered(session)).toHaveLength(2 * rounds);
    const events = await service.events(session);
    expect(events.at(-1)?.type).toBe('session.status_idle');
  });

  it('between two executions of one run uses hands once', async () => {
    service.standIn.script(marking());
    const { runtime } = service;
    const machine = runtime.template.machines[0];
    if (machine === undefined) throw new Error('the template has no machine');
    const sfn = new SFNClient(clientOf(runtime, 'api'));
    for (let round = 0; round < 5; round += 1) {
      const session = await service.session();
      const thread = session.replace(/^sesn_/, 'sthr_');
      const twin = {
        stateMachineArn: machine.arn,
        name: `twin-${session}`,
        input: JSON.stringify({ session, thread, run: 1 }),
      };
      await Promise.all([service.send(session, 'mark'), sfn.send(new StartExecutionCommand(twin))]);
      await service.idle(session);
      const events = await expectSound(service, session);
      expect(textOf(ofType(events, 'agent.message').at(-1))).toBe('marks: 1');
    }
    sfn.destroy();
  });
});
