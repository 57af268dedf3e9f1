/** Sessions that are created with their first messages. */
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepNow } from '#test/faults/sweep.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import { closeUnrefused, createCases, rolesOf, says, type Roles } from '#test/journeys/cases.ts';
import { lastTexts } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, types, type Service } from '#test/journeys/service.ts';

describe('a session with initial events', () => {
  const cases = createCases();
  let service: Service;
  let roles: Roles;
  beforeAll(async () => {
    service = await startService({ script: cases.script });
    earlier = new Set(allExecutions());
    roles = await rolesOf(service);
  });
  afterAll(async () => closeUnrefused(service));

  const allExecutions = () => {
    const [machine] = service.runtime.template.machines;
    return service.runtime.aws.stepFunctions.executions(machine?.arn ?? '').map(({ name }) => name);
  };
  /** Those of the files that used this runtime before. */
  let earlier: ReadonlySet<string>;
  const executions = () => allExecutions().filter((name) => !earlier.has(name));

  async function sessions(): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const { id } of service.client.beta.sessions.list()) ids.push(id);
    return ids;
  }

  it('runs from its creation, and answers them in one turn', async () => {
    const created = await service.client.beta.sessions.create({
      ...roles,
      title: 'seeded',
      initial_events: [says('seeded'), says('and more')],
    });
    expect(created).toMatchObject({ status: 'running', title: 'seeded' });
    await service.runtime.aws.stepFunctions.idle();
    const events = await expectSound(service, created.id);
    expect(types(events)).toEqual([
      'session.status_running',
      'session.thread_status_running',
      'user.message',
      'user.message',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(cases.requests('seeded').map(lastTexts)).toEqual([['seeded', 'and more']]);
    expect(executions()).toEqual([`${created.id}-1`]);
    expect(await service.client.beta.sessions.retrieve(created.id)).toMatchObject({ status: 'idle' });
    await service.converse(created.id, 'third');
    expect(executions()).toContain(`${created.id}-2`);
  });

  it('is idle when the list is empty', async () => {
    const created = await service.client.beta.sessions.create({ ...roles, initial_events: [] });
    expect(created.status).toBe('idle');
    expect(await service.events(created.id)).toEqual([]);
  });

  it.each([
    [
      'a blank text',
      { type: 'user.message', content: [{ type: 'text', text: ' ' }] },
      'initial_events.1.content.0.text',
    ],
    ['no content', { type: 'user.message', content: [] }, 'initial_events.1.content'],
    ['an interrupt', { type: 'user.interrupt' }, 'initial_events.1.type'],
    ['an unknown type', { type: 'user.shout' }, 'initial_events.1.type'],
    ['an outcome without a rubric', { type: 'user.define_outcome', description: 'done' }, 'initial_events.1.rubric'],
  ])('is not created when one of them is invalid: %s', async (_what, wrong, path) => {
    const before = await sessions();
    const initial_events = [says('fine'), wrong as ReturnType<typeof says>];
    await expect(service.client.beta.sessions.create({ ...roles, initial_events })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining(`${path}: `),
    });
    expect(await sessions()).toEqual(before);
  });

  it('is started by sweep when the API died before it could start the run', async () => {
    const { faults } = service.runtime;
    // The API dies at the second attempt of a throttled start.
    const before = new Set(await sessions());
    faults.disarm();
    faults.throttle('states:StartExecution', 1);
    const killed = faults.killDuring({ function: 'api', of: 'states:StartExecution', call: 2, phase: 'before' });
    const impatient = new Anthropic({
      baseURL: service.runtime.baseUrl,
      apiKey: service.runtime.apiKey,
      maxRetries: 0,
    });
    const creating = impatient.beta.sessions.create({ ...roles, initial_events: [says('orphaned')] });
    await expect(creating).rejects.toMatchObject({ status: 500 });
    await killed;
    faults.disarm();
    const [orphan, ...others] = (await sessions()).filter((id) => !before.has(id));
    expect(others).toEqual([]);
    expect(await service.client.beta.sessions.retrieve(orphan ?? '')).toMatchObject({ status: 'running' });
    expect(executions().filter((name) => name.startsWith(orphan ?? ''))).toEqual([]);
    expect(cases.requests('orphaned')).toEqual([]);

    await sweepNow(service);
    await service.runtime.aws.stepFunctions.idle();
    const events = await expectSound(service, orphan ?? '');
    expect(textOf(ofType(events, 'agent.message')[0])).toBe('You said: orphaned');
    expect(executions().filter((name) => name.startsWith(orphan ?? ''))).toEqual([`${orphan}-1`]);
    await sweepNow(service);
    expect(await service.events(orphan ?? '')).toEqual(events);
  });
});
