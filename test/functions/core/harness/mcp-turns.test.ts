import { describe, expect, it } from 'vitest';
import type { Entry } from '#contract/entries.ts';
import type { ServerListing } from '#contract/mcp.ts';
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import type { RunState } from '#contract/run.ts';
import { Fault } from '#core/ports/errors.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { createHistory } from '#core/harness/history.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { McpProxy } from '#core/ports/mcp-proxy.ts';
import type { ModelAnswer, ModelRequest } from '#core/ports/model.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import {
  HANDS,
  FULL,
  KEY,
  NO_MCP,
  SILENT,
  answer,
  createdWith,
  given,
  outline,
  send,
  sends,
  steadyStamp,
  toolUse,
  NO_FILES,
  NO_OUTPUTS,
  NO_TEAM,
} from '#test/functions/core/given.ts';
import { allowing, listing, LISTING, mcpTool, proxy, SERVED, TROUBLE } from '#test/functions/core/served.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { png } from '#test/model/png.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const UNAVAILABLE = new Fault('mcp_proxy_unavailable', 'no proxy');
const FIND = answer({ stopReason: 'tool_use', blocks: [toolUse('toolu_1', 'mcp__tracker__find', { id: '7' })] });

/** A session of an agent with an MCP server. Each turn is taken by a new harness that remembers nothing. */
function stage(replies: readonly ModelAnswer[], over: Partial<McpProxy> = {}, agent = SERVED) {
  const log = memoryLog();
  const begun = given([createdWith(agent)]).when(send('hi'));
  log.create(KEY, begun.head, begun.entries);
  const stamp = steadyStamp(1000);
  const requests: ModelRequest[] = [];
  const judged: (readonly WantedCall[])[] = [];
  let listings = 0;
  /** The harness dies before its append with this number, counted from this moment. */
  let deathAt = Number.POSITIVE_INFINITY;
  const mortal = {
    ...log,
    append: async (append: Parameters<typeof log.append>[0]) => {
      deathAt -= 1;
      if (deathAt < 0) throw new Error('killed');
      return log.append(append);
    },
  };
  const mcp = proxy(over);
  const world = (): TurnWorld => ({
    log: mortal,
    history: createHistory(mortal),
    attachedFiles: NO_FILES,
    ...NO_OUTPUTS,
    ...NO_TEAM,
    hands: HANDS,
    model: {
      ask: async (request) => {
        expect(refusalOf(request)).toBeNull();
        requests.push(request);
        return replies[requests.length - 1] ?? answer();
      },
    },
    warming: { warm: async () => undefined },
    mcp: {
      list: (key) => {
        listings += 1;
        return mcp.list(key);
      },
      judge: (key, calls) => {
        judged.push(calls);
        return mcp.judge(key, calls);
      },
    },
    sha256: NO_MCP.sha256,
    previews: memoryPreviews(),
    stamp,
    pause: () => new Promise((resolve) => void setImmediate(resolve)),
    journal: SILENT,
  });
  const head = async () => {
    const now = await log.head(KEY);
    if (now === null) throw new Error('no log');
    return now;
  };
  return {
    log,
    requests,
    judged,
    listings: () => listings,
    head,
    die: (appends: number) => {
      deathAt = appends;
    },
    revive: () => {
      deathAt = Number.POSITIVE_INFINITY;
    },
    turn: async (more: Partial<RunState> = {}) =>
      takeTurn(world(), { ...KEY, run: (await head()).state.run, ...more }, new AbortController().signal),
    apply: async (command: Command) => change({ log, stamp }, KEY, await head(), command),
  };
}

describe('an agent that has tools of one MCP server alone', () => {
  const failed: ServerListing = {
    status: 'failed',
    server: 'tracker',
    error: 'mcp_connection_failed_error',
    message: '503',
  };
  const alone = { ...SERVED, tools: SERVED.tools.filter((tool) => tool.type === 'mcp_toolset') };

  it('is asked with the tools of its calls, and may call none, when the server fails in a later run', async () => {
    const listings = [LISTING, failed];
    const list = async () => [listings.shift() ?? failed];
    const twins = [toolUse('toolu_1', 'mcp__tracker__find', {}), toolUse('toolu_1', 'mcp__tracker__drop', {})];
    const { turn, apply, head, requests, judged } = stage(
      [answer({ stopReason: 'tool_use', blocks: twins })],
      { list },
      alone,
    );
    await turn();
    const { calls } = (await head()).state;
    expect(calls.map(({ id }) => id)).toEqual(judged[0]?.map(({ id }) => id));
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
    for (const { id } of calls) await apply({ do: 'result', call: id, content: [], isError: true });
    await turn();
    await apply(send('and now?'));
    await turn();
    const [before, , after] = requests;
    expect(after?.extra).toEqual({ ...before?.extra, tool_choice: { type: 'none' } });
    const definitions = before?.tools.filter(({ name }) => /find|drop/.test(name));
    expect(after?.tools.map(({ cache_control: _breakpoint, ...tool }) => tool)).toEqual(
      definitions?.map(({ cache_control: _breakpoint, ...tool }) => tool),
    );
  });
});

const events = (entries: readonly Entry[]) => entries.flatMap((entry) => ('event' in entry ? [entry.event] : []));
const ofType = (entries: readonly Entry[], type: string) => events(entries).filter((event) => event.type === type);
const toolsOf = (request: ModelRequest | undefined) =>
  (request?.tools ?? []).flatMap(({ name }) => (name.startsWith('mcp__') ? [name] : []));

describe('the tools of MCP servers', () => {
  it('are listed before the first request of a run, and offered except for disabled ones', async () => {
    const { log, requests, turn, listings, apply } = stage([]);
    await turn();
    expect(outline(log.entries(KEY)).filter((one) => one === '[mcp.listed]')).toHaveLength(1);
    expect(toolsOf(requests[0])).toEqual(['mcp__tracker__find', 'mcp__tracker__drop', 'mcp__tracker__guess']);
    const { name: _name, hints: _hints, ...told } = mcpTool('find');
    expect(requests[0]?.tools).toContainEqual({ name: 'mcp__tracker__find', ...told });
    await apply(sends({ type: 'user.message', content: [{ type: 'text', text: 'again' }] }));
    await turn();
    expect(listings()).toBe(2);
    expect(toolsOf(requests[1])).toEqual(toolsOf(requests[0]));
    const records = log.entries(KEY).filter((entry) => 'record' in entry && entry.record.kind === 'mcp.listed');
    expect(records).toMatchObject([{ record: { tools: expect.any(Array) } }, { record: { tools: null } }]);
  });

  it('are listed once in a run of many requests', async () => {
    const { turn, listings, apply, head } = stage([FIND]);
    await turn();
    const [call] = (await head()).state.calls;
    if (call === undefined) throw new Error('no call');
    await apply({ do: 'result', call: call.id, content: [], isError: false });
    await turn();
    expect(listings()).toBe(1);
  });

  it('are those of the run’s own listing, also when the run before had others', async () => {
    const found = [listing('find'), listing('drop')];
    const { requests, turn, apply } = stage([], { list: async () => found.splice(0, 1) });
    await turn();
    await apply(sends({ type: 'user.message', content: [{ type: 'text', text: 'again' }] }));
    await turn();
    expect(requests.map(toolsOf)).toEqual([['mcp__tracker__find'], ['mcp__tracker__drop']]);
  });

  it('are listed again in a run in which the user has connected a server', async () => {
    const found: ServerListing[] = [{ status: 'failed', server: 'tracker', error: TROUBLE.type, message: 'No.' }];
    const again = answer({ stopReason: 'tool_use', blocks: [toolUse('toolu_1', 'mcp__tracker__find')] });
    const staged = stage([again, FIND], { list: async () => found.splice(0, 1, LISTING) });
    await staged.turn();
    await staged.apply({ do: 'resume', call: null });
    expect((await staged.turn()).turn?.do).toBe('tools');
    expect(staged.listings()).toBe(2);
    expect(staged.requests.map(toolsOf).map(({ length }) => length)).toEqual([0, 3]);
  });

  it('are listed again after a compaction, because its slice begins behind the listing', async () => {
    const summary = answer({ blocks: [{ type: 'text', text: 'They greeted.' }] });
    const { requests, turn, apply, listings } = stage([answer({ usage: FULL }), summary]);
    await turn();
    await apply(sends({ type: 'user.message', content: [{ type: 'text', text: 'again' }] }));
    expect((await turn()).turn?.do).toBe('again');
    expect(listings()).toBe(1);
    await turn();
    expect(listings()).toBe(2);
    expect(requests.map(toolsOf).map(({ length }) => length)).toEqual([3, 3, 3]);
  });

  it.each<[string, Partial<McpProxy>, string]>([
    [
      'a server that fails',
      {
        list: async () => [
          {
            status: 'failed',
            server: 'tracker',
            error: TROUBLE.type,
            message: 'No way in.',
            action_url: 'https://c/1',
          },
        ],
      },
      'No way in. https://c/1',
    ],
    ['a proxy that fails', { list: () => Promise.reject(UNAVAILABLE) }, 'The tools of tracker could not be listed.'],
  ])('are absent with %s: the client is told, and the session goes on', async (_what, over, message) => {
    const { log, requests, turn, apply, listings } = stage([], over);
    expect((await turn()).turn?.do).toBe('idle');
    expect(ofType(log.entries(KEY), 'session.error')).toMatchObject([
      { error: { mcp_server_name: 'tracker', message, retry_status: { type: 'retrying' } } },
    ]);
    expect(toolsOf(requests[0])).toEqual([]);
    expect(JSON.stringify(requests)).not.toContain(message);
    expect(ofType(log.entries(KEY), 'agent.message')).toHaveLength(1);
    await apply(sends({ type: 'user.message', content: [{ type: 'text', text: 'again' }] }));
    await turn();
    expect(listings(), 'it is tried again at the next run').toBe(2);
  });

  it('are listed again by the next attempt when a process dies before it stores them', async () => {
    const { log, turn, die, revive, listings } = stage([]);
    die(0);
    await expect(turn()).rejects.toThrow('killed');
    revive();
    expect((await turn()).turn?.do).toBe('idle');
    expect(listings()).toBe(2);
    expect(outline(log.entries(KEY)).filter((one) => one === '[mcp.listed]')).toHaveLength(1);
  });

  it('are not stored when the session was interrupted during the listing', async () => {
    const staged: ReturnType<typeof stage> = stage([], {
      list: async (): Promise<readonly ServerListing[]> => {
        await staged.apply(sends({ type: 'user.interrupt' }));
        return [LISTING];
      },
    });
    expect((await staged.turn()).turn?.do).toBe('idle');
    expect(staged.requests).toEqual([]);
    expect(outline(staged.log.entries(KEY))).not.toContain('[mcp.listed]');
  });
});

describe('an answer with calls of MCP servers', () => {
  it('is judged before it is appended, under the ids of its events', async () => {
    const { log, turn, judged } = stage([FIND]);
    const { turn: next } = await turn();
    expect(judged).toEqual([[{ id: expect.any(String), server: 'tracker', tool: 'find', input: { id: '7' } }]]);
    const [use] = ofType(log.entries(KEY), 'agent.mcp_tool_use');
    expect(use).toMatchObject({ id: judged[0]?.[0]?.id, evaluated_permission: 'allow' });
    expect(next).toMatchObject({ do: 'tools', calls: [{ ...HANDS.mcp, id: use?.id }] });
  });

  it.each<[string, (calls: readonly WantedCall[]) => Promise<readonly McpVerdict[]>]>([
    ['cannot be judged', () => Promise.reject(UNAVAILABLE)],
    ['got no verdict', async () => []],
  ])(
    'with calls that %s is appended with the agent’s permissions, and the proxy judges the calls when it makes them',
    async (_what, judge) => {
      const calls = ['find', 'drop', 'guess'].map((tool) => toolUse(`toolu_${tool}`, `mcp__tracker__${tool}`, {}));
      const many = answer({ stopReason: 'tool_use', blocks: calls });
      const { log, turn, judged } = stage([many], { judge: (_key, wanted) => judge(wanted) });
      const { turn: next } = await turn();
      const uses = ofType(log.entries(KEY), 'agent.mcp_tool_use');
      expect(uses).toMatchObject([
        { name: 'find', evaluated_permission: 'allow', evaluation: { type: 'always_allow' } },
        { name: 'drop', evaluated_permission: 'ask', evaluation: { type: 'always_ask' } },
        { name: 'guess', evaluated_permission: 'ask', evaluation: { type: 'auto' } },
      ]);
      expect(
        uses.map(({ id }) => id),
        'under which refusals may be on record already',
      ).toEqual(judged[0]?.map(({ id }) => id));
      expect(next).toMatchObject({ do: 'tools', calls: [{ ...HANDS.mcp, id: uses[0]?.id }] });
    },
  );

  it('holds a call that the proxy denies: the model reads the reason, and the call is not made', async () => {
    const judge: McpProxy['judge'] = async (_key, calls) =>
      calls.map(({ id }) => ({ id, decision: 'deny', reason: 'No.' }));
    const { log, turn, requests } = stage([FIND], { judge });
    expect((await turn()).turn?.do).toBe('again');
    expect(ofType(log.entries(KEY), 'agent.mcp_tool_use')).toMatchObject([{ evaluated_permission: 'deny' }]);
    expect(ofType(log.entries(KEY), 'agent.mcp_tool_result')).toMatchObject([{ is_error: true }]);
    await turn();
    expect(requests[1]?.messages.at(-1)?.content).toMatchObject([{ type: 'tool_result', is_error: true }]);
  });

  it('ends the turn with a fault when the judgement fails for another reason', async () => {
    await expect(stage([FIND], { judge: () => Promise.reject(new TypeError('a bug')) }).turn()).rejects.toThrow(
      'a bug',
    );
    await expect(stage([], { list: () => Promise.reject(new TypeError('a bug')) }).turn()).rejects.toThrow('a bug');
  });

  it('is requested and judged again when a process dies between verdict and append', async () => {
    const { log, turn, die, revive, judged, requests } = stage([FIND, FIND]);
    // The listing, then the claim; the answer is not appended.
    die(2);
    await expect(turn()).rejects.toThrow('killed');
    expect(judged).toHaveLength(1);
    revive();
    expect((await turn()).turn?.do).toBe('tools');
    expect([requests.length, judged.length]).toEqual([2, 2]);
    const uses = ofType(log.entries(KEY), 'agent.mcp_tool_use');
    expect(uses).toMatchObject([{ id: judged[1]?.[0]?.id }]);
    expect(ofType(log.entries(KEY), 'span.model_request_end')).toMatchObject([{ is_error: true }, { is_error: false }]);
  });

  it('is dropped when its request is interrupted during the judgement', async () => {
    const staged: ReturnType<typeof stage> = stage([FIND], {
      judge: async (_key, calls) => {
        await staged.apply(sends({ type: 'user.interrupt' }));
        return allowing(calls);
      },
    });
    expect((await staged.turn()).turn?.do).toBe('idle');
    expect(ofType(staged.log.entries(KEY), 'agent.mcp_tool_use')).toEqual([]);
  });
});

describe('a suspended call', () => {
  async function suspended() {
    const staged = stage([FIND]);
    const { turn: next } = await staged.turn();
    const [call] = next?.calls ?? [];
    if (call === undefined) throw new Error('no call');
    await staged.apply({ do: 'suspend', call: call.id, sincePosition: call.sincePosition, error: TROUBLE });
    const hands = [{ id: call.id, sincePosition: call.sincePosition }];
    return { ...staged, call, hands };
  }

  it('has no result when its hand has ended: the run ends and the session requires an action', async () => {
    const { turn, hands, head, log, call } = await suspended();
    expect((await turn({ hands })).turn?.do).toBe('idle');
    expect((await head()).state.stopReason).toEqual({ type: 'requires_action', event_ids: [call.id] });
    expect(ofType(log.entries(KEY), 'agent.mcp_tool_result')).toEqual([]);
  });

  it('that was resumed meanwhile is given to a hand again, whatever its first attempt returned', async () => {
    const { turn, hands, apply, call, log } = await suspended();
    await apply({ do: 'resume', call: call.id });
    for (const outcome of [{}, { error: 'States.Timeout' }]) {
      const { turn: next } = await turn({ hands: hands.map((hand) => ({ ...hand, ...outcome })) });
      expect(next).toMatchObject({ do: 'tools', calls: [{ ...HANDS.mcp, id: call.id }] });
      expect(next?.calls[0]?.sincePosition).toBeGreaterThan(call.sincePosition);
    }
    expect(ofType(log.entries(KEY), 'agent.mcp_tool_result')).toEqual([]);
    const { turn: again } = await turn();
    const [second] = again?.calls ?? [];
    const sincePosition = second?.sincePosition ?? expect.fail('no call');
    await turn({ hands: [{ id: call.id, sincePosition, error: 'States.Timeout' }] });
    expect(ofType(log.entries(KEY), 'agent.mcp_tool_result')).toMatchObject([
      { is_error: true, content: [{ text: expect.stringContaining('States.Timeout') }] },
    ]);
  });

  it('shows the model nothing of what it asks the user to do', async () => {
    const { turn, hands, apply, call, requests } = await suspended();
    await turn({ hands });
    await apply({ do: 'resume', call: call.id });
    await apply({ do: 'result', call: call.id, content: [{ type: 'text', text: 'found' }], isError: false });
    await turn();
    expect(requests.at(-1)?.messages.at(-1)?.content).toMatchObject([{ content: [{ text: 'found' }] }]);
    expect(JSON.stringify(requests)).not.toContain('connect.example');
  });
});

describe('a long result of an MCP call', () => {
  const text = `HEAD${'x'.repeat(150_000)}TAIL`;
  const image = {
    type: 'image',
    source: { type: 'base64', media_type: 'image/png', data: png(1, 1).toString('base64') },
  } as const;

  it('is shown to the model in part and kept whole', async () => {
    const { turn, apply, head, log, requests } = stage([FIND]);
    await turn();
    const before = (await head()).state;
    const call = before.calls[0];
    if (call === undefined) throw new Error('no call');
    const content = [{ type: 'text' as const, text }, image];
    await apply({ do: 'result', call: call.id, content, isError: false });
    const added = (await head()).state.contextTokens - before.contextTokens;
    expect(added).toBeGreaterThan(100_000 / 3);
    expect(added, 'only what the model is shown counts').toBeLessThan(110_000 / 3);
    expect(ofType(log.entries(KEY), 'agent.mcp_tool_result')).toMatchObject([{ content }]);
    await turn();
    const [shown] = requests.at(-1)?.messages.at(-1)?.content ?? [];
    const [note, part, picture] = Array.isArray(shown?.['content']) ? shown['content'] : [];
    expect(note.text).toContain('150008 characters');
    expect(part.text).toMatch(/^HEADx+\n\[… \d+ characters left out …\]\nx+TAIL$/);
    expect(part.text.length).toBeLessThan(100_100);
    expect(picture).toMatchObject(image);
  });
});
