/** `user.interrupt` in every state of a session. */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WEATHER, says, shareService, speechless } from '#test/journeys/cases.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, textOf, types } from '#test/journeys/service.ts';

const INTERRUPTED = 'Tool execution was interrupted before completion. Please retry.';
const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];
const interrupt = { type: 'user.interrupt' as const };

describe.concurrent('an interrupt of a session', () => {
  const { cases, service, roles, send } = shareService([{ type: 'agent_toolset_20260401' }, WEATHER]);

  const filesNamed = (name: string) => globSync(join(service().data, 'tasks/*/workspace', name));

  async function begin(...said: readonly string[]): Promise<Follower> {
    const { id } = await service().client.beta.sessions.create(roles());
    const follower = await follow(service(), id);
    if (said.length > 0) await send(id, ...said.map(says));
    return follower;
  }

  const executionsOf = (session: string) => {
    const [machine] = service().runtime.template.machines;
    const all = service().runtime.aws.stepFunctions.executions(machine?.arn ?? '');
    return all.filter(({ name }) => name.startsWith(session));
  };

  it('during a streamed answer ends the turn at once, and the model’s connection is cut', async ({ expect }) => {
    cases.on('streaming', speechless);
    const follower = await begin('streaming');
    await cases.asked('streaming', 1);
    const start = await follower.next('span.model_request_start');
    follower.since();
    const { data = [] } = await send(follower.session, interrupt);
    expect(data).toMatchObject([{ type: 'user.interrupt', processed_at: null }]);
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' }, stop_details: null });
    const told = follower.since();
    expect(types(told)).toEqual(['user.interrupt', 'span.model_request_end', 'user.interrupt', ...IDLE]);
    expect(ofType(told, 'user.interrupt').map(({ id }) => id)).toEqual([data[0]?.id, data[0]?.id]);
    expect(ofType(told, 'user.interrupt')[1]?.processed_at).not.toBeNull();
    expect(told[1]).toMatchObject({ model_request_start_id: start.id, is_error: true });
    // The stand-in holds the answer for ever, so the execution ends only when the harness closes the connection.
    await expect.poll(() => executionsOf(follower.session)[0]?.end).toMatchObject({ status: 'SUCCEEDED' });
    await send(follower.session, says('go on'));
    await follower.idle();
    expect(textOf(ofType(follower.seen, 'agent.message').at(-1))).toBe('You said: streaming | go on');
    expect(types(follower.seen)).not.toContain('session.error');
    follower.leave();
  });

  it('starts the next turn with all queued messages in their order', async () => {
    cases.on('queued', speechless);
    const follower = await begin('queued');
    await cases.asked('queued', 1);
    await send(follower.session, says('two'), says('three'));
    await send(follower.session, says('four'));
    await send(follower.session, interrupt);
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
    await follower.next('session.status_running');
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
    expect(cases.requests('queued').map(lastTexts)).toEqual([['queued'], ['queued', 'two', 'three', 'four']]);
    const taken = ofType(await service().events(follower.session), 'user.message');
    expect(taken.map(textOf)).toEqual(['queued', 'two', 'three', 'four']);
    follower.leave();
  });

  it('and a message in one request end one turn and begin another', async () => {
    cases.on('both', speechless);
    const follower = await begin('both');
    await cases.asked('both', 1);
    await follower.next('span.model_request_start');
    follower.since();
    await send(follower.session, interrupt, says('instead'));
    await follower.next('session.status_running');
    expect(types(follower.since())).toEqual([
      'user.interrupt',
      'span.model_request_end',
      'user.interrupt',
      ...IDLE,
      'user.message',
      'session.status_running',
    ]);
    await follower.idle();
    expect(cases.requests('both').map(lastTexts)).toEqual([['both'], ['both', 'instead']]);
    follower.leave();
  });

  it('closes the calls that a client was asked to answer, without a model request', async () => {
    cases.on('waiting', { tools: [{ name: 'weather', input: { place: 'Bern' } }] });
    const follower = await begin('waiting');
    expect((await follower.idle()).stop_reason.type).toBe('requires_action');
    const use = ofType(follower.since(), 'agent.custom_tool_use')[0];
    await send(follower.session, interrupt);
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    const told = follower.since();
    expect(types(told)).toEqual(['user.interrupt', 'user.custom_tool_result', 'user.interrupt', ...IDLE]);
    expect(told[1]).toMatchObject({ custom_tool_use_id: use?.id, is_error: true, content: [{ text: INTERRUPTED }] });
    const late = { type: 'user.custom_tool_result' as const, custom_tool_use_id: use?.id ?? '' };
    await expect(send(follower.session, late)).rejects.toMatchObject({ status: 400 });
    expect(cases.requests('waiting')).toHaveLength(1);
    expect(executionsOf(follower.session)).toHaveLength(1);
    await send(follower.session, says('never mind'));
    await follower.idle();
    expect(cases.requests('waiting').map(lastTexts)).toEqual([['waiting'], [INTERRUPTED, 'never mind']]);
    follower.leave();
  });

  it('that is idle changes nothing', async () => {
    const follower = await begin();
    const { data = [] } = await send(follower.session, interrupt);
    await send(follower.session, interrupt, says('idle'), interrupt);
    await follower.idle();
    const listed = await service().events(follower.session);
    expect(listed[0]).toMatchObject({ id: data[0]?.id, type: 'user.interrupt', processed_at: expect.any(String) });
    expect(ofType(listed, 'user.interrupt')).toHaveLength(3);
    expect(ofType(listed, 'session.status_running')).toHaveLength(1);
    expect(textOf(ofType(listed, 'agent.message').at(-1))).toBe('You said: idle');
    follower.leave();
  });

  it('that waits before a retry ends the wait', async () => {
    const busy = { status: 529, type: 'overloaded_error', message: 'busy', headers: { 'retry-after': '250' } };
    cases.on('backoff', { error: busy });
    const follower = await begin('backoff');
    await follower.next('session.status_rescheduled');
    const { sessions } = service().client.beta;
    expect(await sessions.retrieve(follower.session)).toMatchObject({ status: 'rescheduling' });
    follower.since();
    await send(follower.session, interrupt);
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(types(follower.since())).toEqual(['user.interrupt', 'user.interrupt', ...IDLE]);
    expect(await sessions.retrieve(follower.session)).toMatchObject({ status: 'idle' });
    await send(follower.session, says('again'));
    await follower.idle();
    expect(textOf(ofType(follower.seen, 'agent.message').at(-1))).toBe('You said: backoff | again');
    follower.leave();
  });

  it('that comes twice at once ends one turn', async () => {
    cases.on('twice', speechless);
    const follower = await begin('twice');
    await cases.asked('twice', 1);
    await Promise.all([send(follower.session, interrupt), send(follower.session, interrupt)]);
    await send(follower.session, says('then'));
    await follower.next('session.status_idle');
    await follower.idle();
    const listed = await service().events(follower.session);
    expect(ofType(listed, 'user.interrupt')).toHaveLength(2);
    expect(ofType(listed, 'session.status_idle')).toHaveLength(2);
    expect(ofType(listed, 'span.model_request_end').map((end) => end.is_error)).toEqual([true, false]);
    follower.leave();
  });

  it('while a command runs ends the turn at once, and the command’s late output is dropped', async ({ expect }) => {
    cases.on('command', { tools: [bash('touch begun; sleep 1; echo late')] });
    const follower = await begin('command');
    const use = await follower.next('agent.tool_use');
    await expect.poll(() => filesNamed('begun')).toHaveLength(1);
    await send(follower.session, interrupt);
    await follower.idle();
    await expect.poll(() => executionsOf(follower.session)[0]?.end).toMatchObject({ status: 'SUCCEEDED' });
    await send(follower.session, says('and?'));
    await follower.idle();
    const results = ofType(await service().events(follower.session), 'agent.tool_result');
    expect(results).toMatchObject([{ tool_use_id: use.id, is_error: true, content: [{ text: INTERRUPTED }] }]);
    expect(cases.requests('command').map(lastTexts)).toEqual([['command'], [INTERRUPTED, 'and?']]);
    follower.leave();
  });

  it('while its sandbox starts keeps the command from running', async ({ expect }) => {
    service().runtime.faults.delay('provision ecs:RunTask', 500);
    cases.on('unmade', { tools: [bash('touch unwanted')] });
    const follower = await begin('unmade');
    await follower.next('agent.tool_use');
    await send(follower.session, interrupt);
    await follower.idle();
    await expect.poll(() => executionsOf(follower.session)[0]?.end).toMatchObject({ status: 'SUCCEEDED' });
    expect(filesNamed('unwanted')).toEqual([]);
    follower.leave();
  });

  it('may name the session’s thread or none', async () => {
    const follower = await begin();
    const thread = follower.session.replace(/^sesn_/, 'sthr_');
    await send(follower.session, { ...interrupt, session_thread_id: thread });
    const [told] = ofType(await service().events(follower.session), 'user.interrupt');
    expect(told).toMatchObject({ session_thread_id: thread });
    await expect(send(follower.session, { ...interrupt, session_thread_id: 'sthr_nobody' })).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('events.0.session_thread_id'),
    });
    follower.leave();
  });
});
