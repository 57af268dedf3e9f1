/**
 * The harness dies before and after each AWS call, and between any two frames of the model's answer. Each time the
 * session finishes, its log is complete, and its command ran once.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSound } from '#test/faults/stored-log.ts';
import { marking } from '#test/faults/side-effect.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';
import { sample } from '#test/property-runs.ts';

describe('a killed harness', () => {
  let service: Service;
  let clean: readonly string[];
  beforeAll(async () => {
    service = await startService({ script: marking() });
    service.runtime.faults.disarm();
    await service.converse(await service.session(), 'mark');
    clean = service.runtime.faults
      .trace()
      .filter((call) => call.function === 'harness' && call.request !== null)
      .map(({ call }) => call);
  });
  afterAll(async () => service.close());

  async function expectFinished(session: string): Promise<void> {
    await service.idle(session);
    const events = await expectSound(service, session);
    expect(textOf(ofType(events, 'agent.message').at(-1))).toBe('marks: 1');
    expect(ofType(events, 'session.status_idle')).toHaveLength(1);
  }

  it('before and after each of its AWS calls leaves a session that ends as without the kill', async () => {
    expect(clean).toContain('dynamodb:PutItem');
    expect(clean.length).toBeGreaterThan(8);
    const points = sample(
      6,
      clean.flatMap((_, index) => (['before', 'after'] as const).map((phase) => ({ call: index + 1, phase }))),
    );
    const kills: string[] = [];
    for (const point of points) {
      service.standIn.script(marking());
      const session = await service.session();
      const killed = service.runtime.faults.killDuring({ function: 'harness', ...point });
      await service.send(session, 'mark');
      // A warm worker does not read the model's key again, so a session may end before its last call is due.
      const fired = await Promise.race([killed, service.idle(session)]);
      if (fired !== undefined) kills.push(fired.call);
      await expectFinished(session);
      service.runtime.faults.disarm();
    }
    expect(kills.length).toBeGreaterThanOrEqual(points.length - 4);
  });

  it('between any two frames of an answer asks again and shows the broken request as failed', async () => {
    for (const frame of sample(3, [1, 2, 3, 4, 5, 6, 7, 8, 9])) {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
      const script = marking();
      let first = true;
      service.standIn.script(async (request, index) => {
        const reply = await script(request, index);
        if (!first) return reply;
        first = false;
        onAsked();
        return { ...reply, hold: released, holdBefore: frame };
      });
      const session = await service.session();
      await service.send(session, 'mark');
      await asked;
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(await service.runtime.faults.kill('harness')).toBeGreaterThan(0);
      release();
      await expectFinished(session);
      const ends = ofType(await service.events(session), 'span.model_request_end');
      expect(ends.map((end) => end.is_error)).toEqual([true, false, false, false]);
    }
  });
});
