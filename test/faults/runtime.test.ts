/** The whole runtime is killed with SIGKILL and started again on the same data, on which each test goes on. */
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStandIn, type StandIn } from '#test/model/stand-in.ts';
import { startProcess, type RuntimeProcess } from '#test/faults/runtime-process.ts';
import { marking } from '#test/faults/side-effect.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';

describe('the whole local runtime', () => {
  let standIn: StandIn;
  let data: string;
  let runtime: RuntimeProcess | null = null;
  beforeAll(async () => {
    standIn = await startStandIn();
    data = mkdtempSync(join(tmpdir(), 'brainstem-'));
  });
  afterAll(async () => {
    await runtime?.kill();
    await standIn.close();
    rmSync(data, { recursive: true, force: true });
  });

  const marked = () => globSync(join(data, 'tasks/*/workspace/f'));

  const clientOf = ({ baseUrl, apiKey }: RuntimeProcess) => new Anthropic({ baseURL: baseUrl, apiKey });

  async function begin(client: Anthropic): Promise<string> {
    const agent = await client.beta.agents.create({
      name: 'Ada',
      model: 'claude-opus-5',
      tools: [{ type: 'agent_toolset_20260401' }],
    });
    const environment = await client.beta.environments.create({ name: 'lab' });
    const { id } = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
    const content = [{ type: 'text' as const, text: 'mark' }];
    await client.beta.sessions.events.send(id, { events: [{ type: 'user.message', content }] });
    return id;
  }

  async function finished(client: Anthropic, session: string): Promise<readonly Event[]> {
    while ((await client.beta.sessions.retrieve(session)).status !== 'idle') {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const events: Event[] = [];
    for await (const event of client.beta.sessions.events.list(session)) events.push(event);
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
    return events;
  }

  it('killed during a model request asks again after its restart and finishes', async () => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<void>();
    standIn.script(() => {
      onAsked();
      return { text: ['never', ' heard'], hold: new Promise(() => undefined), holdBefore: 3 };
    });
    runtime = await startProcess(data, standIn.url);
    const session = await begin(clientOf(runtime));
    await asked;
    await runtime.kill();
    standIn.script(marking());
    runtime = await startProcess(data, standIn.url);
    const events = await finished(clientOf(runtime), session);
    expect(textOf(ofType(events, 'agent.message').at(-1))).toBe('marks: 1');
    expect(ofType(events, 'span.model_request_end').map((end) => end.is_error)).toEqual([true, false, false, false]);
  });

  it('killed while a command runs tells the model and never runs the command again', async () => {
    standIn.script(marking('echo x >> f; sleep 30'));
    runtime ??= await startProcess(data, standIn.url);
    const before = new Set(marked());
    const session = await begin(clientOf(runtime));
    while (marked().every((path) => before.has(path))) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await runtime.kill();
    runtime = await startProcess(data, standIn.url);
    const events = await finished(clientOf(runtime), session);
    const [lost, next] = ofType(events, 'agent.tool_result');
    expect(lost).toMatchObject({ is_error: true });
    expect(textOf(next)).toContain('0');
  });

  it('stopped by Ctrl-C leaves no process, and continues with the same key', async () => {
    standIn.script(marking());
    runtime ??= await startProcess(data, standIn.url);
    const key = runtime.apiKey;
    const session = await begin(clientOf(runtime));
    await finished(clientOf(runtime), session);
    expect(await runtime.interrupt()).toBe(0);
    runtime = await startProcess(data, standIn.url);
    expect(runtime.apiKey).toBe(key);
    expect(await clientOf(runtime).beta.sessions.retrieve(session)).toMatchObject({ status: 'idle' });
  });
});
