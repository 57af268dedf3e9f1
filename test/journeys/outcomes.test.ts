/** Outcomes through the official SDK: one script plays the agent, which writes into its sandbox, and the grader. */
import { type Anthropic, toFile } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelRequest, Reply } from '#infra/local/model/script.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import { follow } from '#test/journeys/follower.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, type Service } from '#test/journeys/service.ts';

const BETAS = ['managed-agents-2026-04-01' as const];
const REPORT = '/mnt/session/outputs/report.md';

const isOfGrader = (request: ModelRequest) =>
  (request.tools ?? []).some((tool) => 'name' in tool && tool.name === 'verdict');
const judging = (result: string, explanation: string): Reply => ({
  tools: [{ name: 'verdict', input: { result, explanation } }],
});

/** Writes one line more for each evaluation, and ends its turn when it is written. */
function working(request: ModelRequest): Reply {
  const last = request.messages.at(-1)?.content ?? [];
  const wrote = typeof last !== 'string' && last.some(({ type }) => type === 'tool_result');
  return wrote ? { text: 'I wrote it.' } : { text: 'I write.', tools: [bash(`echo line >> ${REPORT}`)] };
}

/** Reads the report, and is content with three lines. */
function grading(request: ModelRequest): Reply {
  const last = request.messages.at(-1)?.content ?? [];
  const hasRead = typeof last !== 'string' && last.some(({ type }) => type === 'tool_result');
  if (!hasRead) return { tools: [{ name: 'read', input: { path: REPORT } }] };
  const lines = lastTexts(request).join('').split('line').length - 1;
  return lines >= 3 ? judging('satisfied', 'Three lines.') : judging('needs_revision', `Only ${lines} of 3 lines.`);
}

describe('a session with an outcome', () => {
  let service: Service;
  let beta: Anthropic['beta'];
  beforeAll(async () => {
    service = await startService();
    beta = service.client.beta;
  });
  afterAll(() => service.close());

  const defined = (rubric: Anthropic.Beta.Sessions.BetaManagedAgentsUserDefineOutcomeEventParams['rubric']) =>
    ({ type: 'user.define_outcome', description: 'A report of three lines', rubric }) as const;
  const text = (content = 'It has three lines.') => defined({ type: 'text', content });

  async function work(session: string, event = text(), max_iterations?: number) {
    const follower = await follow(service, session);
    const { data } = await beta.sessions.events.send(session, {
      events: [{ ...event, ...(max_iterations === undefined ? {} : { max_iterations }) }],
    });
    await follower.idle();
    follower.leave();
    return { sent: data?.[0], seen: follower.since() };
  }

  it('revises its work twice, is satisfied, and tells what the grader used', async () => {
    service.standIn.script((request) => (isOfGrader(request) ? grading(request) : working(request)));
    const session = await service.session();
    const file = await beta.files.upload({
      file: await toFile(Buffer.from('\u{feff}It has three lines.'), 'rubric.md'),
      betas: BETAS,
    });
    const { sent, seen } = await work(session, defined({ type: 'file', file_id: file.id }));
    expect(sent).toMatchObject({
      type: 'user.define_outcome',
      outcome_id: expect.stringMatching(/^outc_/),
      rubric: { type: 'text', content: 'It has three lines.' },
      max_iterations: 3,
      processed_at: expect.any(String),
    });
    const spans = seen.flatMap((event) => {
      if (event.type === 'span.outcome_evaluation_end') return [`${event.iteration} ${event.result}`];
      return event.type.startsWith('span.outcome') ? [event.type] : [];
    });
    expect(spans).toEqual(
      [0, 1, 2].flatMap((iteration) => [
        'span.outcome_evaluation_start',
        'span.outcome_evaluation_ongoing',
        'span.outcome_evaluation_ongoing',
        `${iteration} ${iteration < 2 ? 'needs_revision' : 'satisfied'}`,
      ]),
    );
    const ends = ofType(seen, 'span.outcome_evaluation_end');
    expect(ends.map(({ explanation }) => explanation)).toEqual([
      'Only 1 of 3 lines.',
      'Only 2 of 3 lines.',
      'Three lines.',
    ]);
    const requests = ofType(seen, 'span.model_request_end').reduce(
      (sum, { model_usage }) => sum + model_usage.output_tokens,
      0,
    );
    const retrieved = await beta.sessions.retrieve(session);
    expect(retrieved.usage.output_tokens).toBe(requests);
    expect(ends.every(({ usage }) => usage.output_tokens > 0)).toBe(true);
    expect(retrieved.outcome_evaluations).toMatchObject([
      { description: 'A report of three lines', iteration: 2, result: 'satisfied', explanation: 'Three lines.' },
    ]);
    const list = await beta.sessions.list();
    expect(list.data.find(({ id }) => id === session)?.outcome_evaluations).toEqual(retrieved.outcome_evaluations);
    // A next message is answered as in any session, and a second outcome has its own entry.
    service.standIn.script((request) =>
      isOfGrader(request) ? judging('failed', 'No rubric for this.') : { text: 'Done.' },
    );
    await work(session);
    const both = (await beta.sessions.retrieve(session)).outcome_evaluations;
    expect(both?.map(({ result }) => result)).toEqual(['satisfied', 'failed']);
    await expectSound(service, session);
  });

  it('that is never satisfied has a last turn; a malformed verdict is asked for again, then it has failed', async () => {
    service.standIn.script((request) => (isOfGrader(request) ? judging('needs_revision', 'No.') : { text: 'Done.' }));
    const never = await service.session();
    const { seen } = await work(never, text(), 2);
    expect(ofType(seen, 'span.outcome_evaluation_end').map(({ result }) => result)).toEqual([
      'needs_revision',
      'max_iterations_reached',
    ]);
    expect(ofType(seen, 'agent.message')).toHaveLength(3);
    expect(seen.at(-1)).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'end_turn' } });
    await expectSound(service, never);

    service.standIn.script((request) => (isOfGrader(request) ? { text: 'satisfied' } : { text: 'Done.' }));
    const odd = await service.session();
    const told = ofType((await work(odd)).seen, 'span.outcome_evaluation_end');
    expect(told).toMatchObject([{ result: 'failed', explanation: expect.stringContaining('no verdict') }]);
    await expectSound(service, odd);
  });

  it('is interrupted while it is judged, and takes another outcome then', async () => {
    const held = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    service.standIn.script((request): Reply => {
      if (!isOfGrader(request)) return { text: 'Done.' };
      asked.resolve();
      return { ...judging('satisfied', 'Too late.'), hold: held.promise };
    });
    const session = await service.session();
    const follower = await follow(service, session);
    await beta.sessions.events.send(session, { events: [text()] });
    await asked.promise;
    const [during] = (await beta.sessions.retrieve(session)).outcome_evaluations ?? [];
    expect(during).toMatchObject({ result: 'evaluating', iteration: 0, completed_at: null });
    await expect(beta.sessions.events.send(session, { events: [text()] })).rejects.toMatchObject({ status: 400 });
    await beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
    await follower.idle();
    held.resolve();
    follower.leave();
    const seen = follower.since();
    const [start] = ofType(seen, 'span.outcome_evaluation_start');
    expect(ofType(seen, 'span.outcome_evaluation_end')).toMatchObject([
      { result: 'interrupted', outcome_evaluation_start_id: start?.id },
    ]);
    service.standIn.script((request) => (isOfGrader(request) ? judging('satisfied', 'Yes.') : { text: 'Done.' }));
    await work(session);
    expect((await beta.sessions.retrieve(session)).outcome_evaluations).toMatchObject([
      { result: 'interrupted' },
      { result: 'satisfied' },
    ]);
    await expectSound(service, session);
  });

  it('begins to work when it is created with one, and is not created with two or with a rubric that is no text', async () => {
    service.standIn.script((request) => (isOfGrader(request) ? judging('satisfied', 'Yes.') : { text: 'Done.' }));
    const agent = await beta.agents.create({ name: 'Ada', model: 'claude-opus-5' });
    const environment = await beta.environments.create({ name: 'lab' });
    const roles = { agent: agent.id, environment_id: environment.id };
    const created = await beta.sessions.create({ ...roles, initial_events: [text()] });
    expect(created).toMatchObject({ status: 'running', outcome_evaluations: [{ result: 'pending', iteration: 0 }] });
    await service.idle(created.id);
    const { outcome_evaluations } = await beta.sessions.retrieve(created.id);
    expect(outcome_evaluations).toMatchObject([{ result: 'satisfied' }]);
    const [answered] = ofType(await service.events(created.id), 'agent.message');
    expect(textOf(answered)).toBe('Done.');
    const binary = await beta.files.upload({ file: await toFile(Buffer.from([0xff, 0]), 'x.bin'), betas: BETAS });
    const refused = [
      [[text(), text()], 'initial_events.1'],
      [[defined({ type: 'file', file_id: binary.id })], 'initial_events.0.rubric.file_id: the file is no text'],
      [[defined({ type: 'file', file_id: 'file_none' })], 'initial_events.0.rubric.file_id: there is no such file'],
      [[text('x'.repeat(262_145))], 'initial_events.0.rubric.content'],
      [[text(' ')], 'initial_events.0.rubric.content'],
      [[{ ...text(), max_iterations: 21 }], 'initial_events.0.max_iterations'],
      [[{ ...text(), max_iterations: 0 }], 'initial_events.0.max_iterations'],
    ] as const;
    for (const [initial_events, message] of refused) {
      await expect(beta.sessions.create({ ...roles, initial_events: [...initial_events] })).rejects.toMatchObject({
        status: 400,
        message: expect.stringContaining(message),
      });
    }
  });
});
