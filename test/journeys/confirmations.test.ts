/** Calls that people confirm and clients answer one by one, also over a restart. */
import { engineClient } from '#test/runtime/engine-client.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startStandIn, type StandIn } from '#test/model/stand-in.ts';
import { createCases, rolesOf, says, WEATHER } from '#test/journeys/cases.ts';
import { follow } from '#test/journeys/follower.ts';
import { bash } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, types, type Service } from '#test/journeys/service.ts';

const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];

/** `bash` needs a confirmation by default, `glob` by its own entry, `write` is allowed. */
const TOOLS = [
  {
    type: 'agent_toolset_20260401' as const,
    default_config: { permission_policy: { type: 'always_ask' as const } },
    configs: [
      { name: 'write' as const, permission_policy: { type: 'always_allow' as const } },
      { name: 'glob' as const, permission_policy: { type: 'always_ask' as const } },
    ],
  },
  WEATHER,
];

describe('an answer with calls to execute, to confirm and to be answered by the client', () => {
  const cases = createCases();
  let standIn: StandIn;
  let data: string;
  let service: Service;
  beforeAll(async () => {
    standIn = await startStandIn({ script: cases.script });
    data = mkdtempSync(join(tmpdir(), 'brainstem-'));
    service = await startService({ data, standIn });
  });
  afterAll(async () => {
    await service.close();
    await standIn.close();
    rmSync(data, { recursive: true, force: true });
  });

  const send = (session: string, ...events: Parameters<typeof service.client.beta.sessions.events.send>[1]['events']) =>
    service.client.beta.sessions.events.send(session, { events });
  const confirm = (id: string, deny?: string) => ({
    type: 'user.tool_confirmation' as const,
    tool_use_id: id,
    result: deny === undefined ? ('allow' as const) : ('deny' as const),
    ...(deny === undefined ? {} : { deny_message: deny }),
  });

  it('waits for each call, also over a restart, and then continues', async () => {
    cases.on('mixed', {
      text: 'Four things.',
      tools: [
        { name: 'write', input: { file_path: 'a.txt', content: 'alpha' } },
        bash('echo ran'),
        { name: 'glob', input: { pattern: '*' } },
        { name: 'weather', input: { place: 'Bern' } },
      ],
    });
    const { id } = await service.client.beta.sessions.create(await rolesOf(service, TOOLS));
    const first = await follow(service, id);
    await send(id, says('mixed'));
    const stop = await first.idle();
    const begun = first.since();
    const uses = ofType(begun, 'agent.tool_use');
    const [write, shell, glob] = uses;
    const [weather] = ofType(begun, 'agent.custom_tool_use');
    if (write === undefined || shell === undefined || glob === undefined || weather === undefined)
      throw new Error('four calls were made');
    expect(uses.map((use) => [use.name, use.evaluated_permission, use.evaluation])).toEqual([
      ['write', 'allow', { type: 'always_allow' }],
      ['bash', 'ask', { type: 'always_ask' }],
      ['glob', 'ask', { type: 'always_ask' }],
    ]);
    expect(weather).not.toHaveProperty('evaluated_permission');
    // The calls that need no confirmation are done by then.
    expect(ofType(begun, 'agent.tool_result')).toMatchObject([{ tool_use_id: write.id, is_error: false }]);
    expect(stop.stop_reason).toEqual({ type: 'requires_action', event_ids: [shell.id, glob.id, weather.id] });

    await service.runtime.aws.stepFunctions.idle();
    service.runtime.faults.disarm();
    await expect(send(id, says('hello?'))).rejects.toMatchObject({ status: 400 });
    const content = [{ type: 'text' as const, text: 'sunny' }];
    await send(id, { type: 'user.custom_tool_result', custom_tool_use_id: weather.id, content });
    expect((await first.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [shell.id, glob.id] });
    expect(types(first.since())).toEqual(['user.custom_tool_result', ...IDLE]);
    expectAtRest(['api', 'stream']);
    first.leave();

    await service.close();
    service = await startService({ data, standIn });
    expect(service.runtime.resumed).toBe(0);
    const waiting = await service.client.beta.sessions.retrieve(id);
    expect(waiting.status).toBe('idle');
    const second = await follow(service, id);
    await send(id, confirm(glob.id, 'not in my house'));
    expect((await second.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [shell.id] });
    const denied = second.since();
    expect(types(denied)).toEqual(['user.tool_confirmation', 'user.tool_confirmation', 'agent.tool_result', ...IDLE]);
    expect(denied[2]).toMatchObject({ tool_use_id: glob.id, is_error: true });
    // A confirmation is accepted once.
    await expect(send(id, confirm(glob.id))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('events.0.tool_use_id'),
    });
    expectAtRest(['api', 'stream', 'issue-key']);

    await anHourPasses(id);
    await send(id, confirm(shell.id));
    expect((await second.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(types(second.since())).toEqual([
      'user.tool_confirmation',
      'user.tool_confirmation',
      'session.status_running',
      'session.thread_status_running',
      'agent.tool_result',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      ...IDLE,
    ]);
    second.leave();
    await expectResults(id);
  });

  /** Makes the sandbox look unused for long, so that it is replaced when the confirmation comes. */
  async function anHourPasses(session: string): Promise<void> {
    const { aws, template } = service.runtime;
    const table = template.functions.flatMap(({ environment }) => environment['RECORDS_TABLE'] ?? [])[0];
    const client = engineClient({ aws, template });
    const key = { pk: { S: session }, sk: { S: 'sandbox' } };
    await client.send(
      new UpdateItemCommand({
        TableName: table,
        Key: key,
        UpdateExpression: 'SET lastUsedAt = :then',
        ConditionExpression: 'attribute_exists(lastUsedAt)',
        ExpressionAttributeValues: { ':then': { S: new Date(Date.now() - 3_600_000).toISOString() } },
      }),
    );
    client.destroy();
  }

  /** The functions that ran since the trace was emptied. None may run while the session only waits. */
  function expectAtRest(functions: readonly string[]): void {
    const busy = new Set(service.runtime.faults.trace().map((call) => call.function));
    expect([...busy].filter((name) => !functions.includes(name))).toEqual([]);
  }

  /** The model reads the results in the order of its calls. */
  async function expectResults(session: string): Promise<void> {
    const [, asked, ...others] = cases.requests('mixed');
    expect(others).toEqual([]);
    const [, answer, results] = asked?.messages ?? [];
    if (typeof answer?.content === 'string' || typeof results?.content === 'string') throw new Error('not blocks');
    const calls = (answer?.content ?? []).flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    expect(results?.content).toMatchObject([
      { type: 'tool_result', is_error: false },
      { type: 'tool_result', is_error: false, content: [{ text: expect.stringMatching(/^ran$/m) }] },
      { type: 'tool_result', is_error: true, content: [{ text: expect.stringContaining('not in my house') }] },
      { type: 'tool_result', is_error: false, content: [{ text: 'sunny' }] },
    ]);
    expect((results?.content ?? []).map((block) => 'tool_use_id' in block && block.tool_use_id)).toEqual(calls);
    const events = await service.events(session);
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
    expect(textOf(ofType(events, 'agent.message').at(-1))).toContain('sunny');
    expect(standIn.refusals).toEqual([]);
  }
});
