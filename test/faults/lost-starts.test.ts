/** The API dies between the append that begins a run and its start. Sweep starts the run, and nothing is done twice. */
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectSound } from '#test/faults/stored-log.ts';
import { sweepNow } from '#test/faults/sweep.ts';
import { createCases, rolesOf, says, speechless, WEATHER, type Roles } from '#test/journeys/cases.ts';
import { follow } from '#test/journeys/follower.ts';
import { lastTexts } from '#test/journeys/scripts.ts';
import { ofType, startService, type Service } from '#test/journeys/service.ts';

type Input = Parameters<Anthropic['beta']['sessions']['events']['send']>[1]['events'][number];

describe('a run is started by sweep when the API is killed between the append and the start', () => {
  const cases = createCases();
  let service: Service;
  let roles: Roles;
  beforeAll(async () => {
    service = await startService({ script: cases.script });
    roles = await rolesOf(service, [WEATHER]);
  });
  afterAll(async () => service.close());

  /** The API dies at the second attempt of a throttled start, when the append is done. */
  async function sendAndDie(session: string, input: Input): Promise<void> {
    const { faults } = service.runtime;
    const client = new Anthropic({ baseURL: service.runtime.baseUrl, apiKey: service.runtime.apiKey, maxRetries: 0 });
    faults.disarm();
    faults.throttle('states:StartExecution', 1);
    const killed = faults.killDuring({ function: 'api', of: 'states:StartExecution', call: 2, phase: 'before' });
    await expect(client.beta.sessions.events.send(session, { events: [input] })).rejects.toMatchObject({ status: 500 });
    await killed;
    faults.disarm();
    expect(await service.client.beta.sessions.retrieve(session)).toMatchObject({ status: 'running' });
  }

  it('of the last answer that the session waits for', async () => {
    cases.on('answered', { tools: [{ name: 'weather', input: {} }] });
    const { id } = await service.client.beta.sessions.create(roles);
    const follower = await follow(service, id);
    await service.send(id, 'answered');
    const use = await follower.next('agent.custom_tool_use');
    await follower.idle();
    const content = [{ type: 'text' as const, text: 'sunny' }];
    await sendAndDie(id, { type: 'user.custom_tool_result', custom_tool_use_id: use.id, content });
    expect(cases.requests('answered')).toHaveLength(1);
    await sweepNow(service);
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(cases.requests('answered').map(lastTexts)).toEqual([['answered'], ['sunny']]);
    expect(ofType(await service.events(id), 'user.custom_tool_result')).toHaveLength(1);
    follower.leave();
  });

  it('of an interrupt with a message in the queue', async () => {
    cases.on('interrupted', speechless);
    const { id } = await service.client.beta.sessions.create({ ...roles, initial_events: [says('interrupted')] });
    const follower = await follow(service, id);
    await cases.asked('interrupted', 1);
    await service.send(id, 'queued');
    await sendAndDie(id, { type: 'user.interrupt' });
    // The harness of the interrupted run leaves the next run to its own execution.
    await service.runtime.aws.stepFunctions.idle();
    expect(cases.requests('interrupted')).toHaveLength(1);
    await sweepNow(service);
    await service.runtime.aws.stepFunctions.idle();
    expect(cases.requests('interrupted').map(lastTexts)).toEqual([['interrupted'], ['interrupted', 'queued']]);
    const events = await expectSound(service, id);
    expect(ofType(events, 'session.status_idle').map((idle) => idle.stop_reason.type)).toEqual([
      'end_turn',
      'end_turn',
    ]);
    follower.leave();
  });

  it('of a child thread, when the harness that gave it work is killed', async () => {
    const { client, runtime } = service;
    const multiagent = { type: 'coordinator' as const, agents: [roles.agent] };
    const lead = await client.beta.agents.create({ name: 'Lead', model: 'claude-opus-5', multiagent });
    let killed: Promise<unknown> = Promise.resolve();
    cases.on('delegating', () => {
      // The harness dies at the second attempt of a throttled start, when the append is done.
      runtime.faults.throttle('states:StartExecution', 1);
      killed = runtime.faults.killDuring({
        function: 'harness',
        of: 'states:StartExecution',
        call: 2,
        phase: 'before',
      });
      return { tools: [{ name: 'send_to_agent', input: { agent: 'Ada', message: 'child' } }] };
    });
    const { id } = await client.beta.sessions.create({ agent: lead.id, environment_id: roles.environment_id });
    const follower = await follow(service, id);
    await service.send(id, 'delegating');
    await cases.asked('delegating', 2);
    await killed;
    runtime.faults.disarm();
    await runtime.aws.stepFunctions.idle();
    expect(cases.requests('child')).toHaveLength(0);
    expect((await client.beta.sessions.threads.list(id)).data[1]).toMatchObject({ status: 'running' });
    await sweepNow(service);
    await runtime.aws.stepFunctions.idle();
    expect(cases.requests('child')).toHaveLength(1);
    expect(cases.requests('delegating')).toHaveLength(3);
    const [, child] = (await client.beta.sessions.threads.list(id)).data;
    expect(child).toMatchObject({ status: 'idle', stats: { active_seconds: expect.any(Number) } });
    const [machine] = runtime.template.machines;
    const executions = runtime.aws.stepFunctions.executions(machine?.arn ?? expect.fail('no machine'));
    const names = executions.map(({ name }) => name).filter((name) => name.startsWith(id));
    expect(names.toSorted()).toEqual([`${id}-1`, `${id}-2`, `${id}-${child?.id}-1`].toSorted());
    follower.leave();
  });
});
