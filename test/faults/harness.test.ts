/**
 * The harness dies before and after each AWS call, and between any two frames of the model's answer. Each time the
 * session finishes, its log is complete, and its command ran once.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSound } from '#test/faults/stored-log.ts';
import { marking } from '#test/faults/side-effect.ts';
import type { ModelRequest, Reply } from '#infra/local/model/script.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
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

const REPORT = '/mnt/session/outputs/report.md';
const OUTCOME = {
  type: 'user.define_outcome',
  description: 'A report',
  rubric: { type: 'text', content: 'It has two lines.' },
} as const;

const isOfGrader = (request: ModelRequest) =>
  (request.tools ?? []).some((tool) => 'name' in tool && tool.name === 'verdict');
const hasResult = ({ messages }: ModelRequest) => JSON.stringify(messages.at(-1)).includes('"tool_result"');

/** Writes a line for the definition, and one for each evaluation. */
const working = (request: ModelRequest): Reply =>
  hasResult(request) ? { text: 'Done.' } : { tools: [bash(`echo line >> ${REPORT}`)] };

function grading(request: ModelRequest): Reply {
  if (!hasResult(request)) return { tools: [{ name: 'read', input: { path: REPORT } }] };
  const lines = lastTexts(request).join('').split('line').length - 1;
  const result = ['failed', 'needs_revision', 'satisfied'][lines] ?? 'failed';
  return { tools: [{ name: 'verdict', input: { result, explanation: `${lines} lines` } }] };
}

describe('a harness that is killed while its grader works', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(async () => service.close());

  const harnessCalls = () => service.runtime.faults.trace().filter((call) => call.function === 'harness').length;

  /** `before` is run with each request, before the model answers it. */
  async function work(before: (request: ModelRequest, reply: Reply) => Reply | Promise<Reply>): Promise<string> {
    service.standIn.script((request) => before(request, isOfGrader(request) ? grading(request) : working(request)));
    const session = await service.session();
    await service.client.beta.sessions.events.send(session, { events: [OUTCOME] });
    return session;
  }

  async function expectJudged(session: string): Promise<void> {
    await service.idle(session);
    const events = await expectSound(service, session);
    const told = ofType(events, 'span.outcome_evaluation_end').map(
      ({ iteration, result, explanation }) => `${iteration} ${result}: ${explanation}`,
    );
    expect(told).toEqual(['0 needs_revision: 1 lines', '1 satisfied: 2 lines']);
    expect(ofType(events, 'span.outcome_evaluation_start')).toHaveLength(2);
    expect(ofType(events, 'session.status_idle')).toHaveLength(1);
    const { outcome_evaluations } = await service.client.beta.sessions.retrieve(session);
    expect(outcome_evaluations).toMatchObject([{ result: 'satisfied', iteration: 1 }]);
  }

  it('before and after each AWS call of an evaluation leaves an outcome that is judged as without the kill', async () => {
    /** Calls are counted from the request whose answer ends the agent's turn, which the evaluation follows. */
    const isLast = (request: ModelRequest) => !isOfGrader(request) && hasResult(request);
    let first = 0;
    let afterFirst = 0;
    const clean = await work((request, reply) => {
      if (isLast(request)) first ||= harnessCalls();
      else if (!isOfGrader(request) && first > 0) afterFirst ||= harnessCalls();
      return reply;
    });
    await expectJudged(clean);
    const calls = afterFirst - first;
    expect(calls).toBeGreaterThan(8);
    const points = sample(
      2,
      Array.from({ length: calls }, (_, index) => index + 1).flatMap((call) =>
        (['before', 'after'] as const).map((phase) => ({ call, phase })),
      ),
    );
    let kills = 0;
    for (const point of points) {
      let armed: Promise<void> | null = null;
      const session = await work((request, reply) => {
        if (isLast(request)) {
          armed ??= service.runtime.faults.killDuring({ function: 'harness', ...point }).then(() => void (kills += 1));
        }
        return reply;
      });
      await expectJudged(session);
      service.runtime.faults.disarm();
    }
    // The last calls of the clean evaluation may be missing in another one.
    expect(kills).toBeGreaterThanOrEqual(points.length / 2);
  });

  it('in the middle of its answers, asks again and shows the broken requests as failed', async () => {
    for (const frame of sample(1, [1, 2, 3, 4, 5, 6])) {
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
      let isFirst = true;
      const session = await work((request, reply) => {
        if (!isFirst || !isOfGrader(request) || !hasResult(request)) return reply;
        isFirst = false;
        onAsked();
        return { ...reply, hold: released, holdBefore: frame };
      });
      await asked;
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(await service.runtime.faults.kill('harness')).toBeGreaterThan(0);
      release();
      await expectJudged(session);
      const ends = ofType(await service.events(session), 'span.model_request_end');
      expect(ends.filter((end) => end.is_error)).toHaveLength(1);
    }
  });
});
