import { afterAll, beforeAll, expect, it } from 'vitest';
import { EventId, primaryThread, SessionId } from '#contract/ids.ts';
import { USER_KEY } from '#contract/vaults.ts';
import { Fault } from '#core/ports/errors.ts';
import { toolRules } from '#core/tools/tool-definitions.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { answerWith, toolUse } from '#test/functions/core/given.ts';
import { listed, OFFERED, SERVED } from '#test/functions/core/served.ts';
import { startApi, type Line, type TestApi } from './api.ts';

const ASKS = { permission_policy: { type: 'always_ask' } };

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const made = async (path: string, body: object) => (await api.ask('POST', path, body)).body.id as string;

/** A session of Alice in which the model called a tool of an MCP server and one of a sandbox, both to be confirmed. */
async function asked() {
  const agent = await made('/v1/agents', {
    name: 'Ada',
    model: 'claude-opus-5',
    mcp_servers: SERVED.mcp_servers,
    tools: [
      { type: 'agent_toolset_20260401', default_config: ASKS },
      { type: 'mcp_toolset', mcp_server_name: 'tracker', default_config: ASKS },
    ],
  });
  const vault = await made('/v1/vaults', { display_name: 'keys', metadata: { [USER_KEY]: 'alice' } });
  const session = SessionId.parse(await api.session({ agent, vault_ids: [vault] }));
  const sent = await api.send(session, 'Find it.');
  const key = { session, thread: primaryThread(session) };
  const act = async (command: Command) => {
    const head = await api.world.log.head(key);
    if (head === null) throw new Error('the session has no log');
    await change(api.world, key, head, command);
  };
  const request = EventId.parse('sevt_request');
  const { body } = await api.ask('GET', `/v1/sessions/${session}`);
  const rules = toolRules(body.agent, OFFERED);
  const blocks = [toolUse('toolu_1', 'mcp__tracker__find', { id: '1' }), toolUse('toolu_2')];
  const id = api.world.stamp.eventId();
  await act(listed());
  await act({ do: 'claim', request, taken: [{ event: sent.body.data[0] }] });
  const verdicts = new Map([['toolu_1', { id, decision: 'allow', reason: '' } as const]]);
  await act({ ...answerWith({ stopReason: 'tool_use', blocks }, request), rules, verdicts } as Command);
  await act({ do: 'await action' });
  const { state } = (await api.world.log.head(key)) ?? expect.fail('the session has no log');
  expect(state).toMatchObject({ status: 'idle', calls: [{ id, server: 'tracker' }, { server: null }] });
  const refuse = (call: string | undefined) =>
    api.ask('POST', `/v1/sessions/${session}/events`, {
      events: [{ type: 'user.tool_confirmation', tool_use_id: call, result: 'deny' }],
    });
  const waiting = async () => (await api.world.log.head(key))?.state.calls.map((call) => call.id);
  return { session, mcp: id, builtIn: state.calls[1]?.id, refuse, waiting };
}

async function audited(session: string): Promise<readonly Line[]> {
  const { body } = await api.ask('GET', `/v1/x/audit?session_id=${session}&user=alice`);
  return (body.data as readonly { entry: Line }[]).map(({ entry }) => entry);
}

it('a refused call of an MCP tool is in the audit trail, and a refused call of a sandbox is not', async () => {
  const { session, mcp, builtIn, refuse, waiting } = await asked();
  expect(await refuse(builtIn)).toMatchObject({ status: 200 });
  expect(await audited(session)).toEqual([]);
  expect(await refuse(mcp)).toMatchObject({ status: 200 });
  expect(await waiting()).toEqual([]);
  expect(await audited(session)).toMatchObject([
    { kind: 'intent', call: mcp, tool: 'find', decision: 'deny', code: 'confirmation_denied', confirmed: false },
    { kind: 'outcome', call: mcp, server: 'tracker', outcome: 'denied', error: 'confirmation_denied' },
  ]);
});

it('the refusal of an MCP call is rejected while the audit trail cannot be written, and that of a sandbox call is not', async () => {
  const { mcp, builtIn, refuse, waiting } = await asked();
  const { record } = api.world.audit;
  const unavailable = () => Promise.reject(new Fault('audit_unavailable', 'it does not answer'));
  Object.assign(api.world.audit, { record: unavailable });
  const refused = [await refuse(mcp), await refuse(builtIn)];
  Object.assign(api.world.audit, { record });
  expect(refused.map(({ status }) => status)).toEqual([500, 200]);
  expect(await waiting()).toEqual([mcp]);
});
