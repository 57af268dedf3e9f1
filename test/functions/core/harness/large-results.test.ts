import { describe, expect, it } from 'vitest';
import type { SessionAgent } from '#contract/agents.ts';
import type { ToolContent } from '#contract/content.ts';
import { MAX_LARGE_RESULTS } from '#contract/hands.ts';
import { EventId } from '#contract/ids.ts';
import type { ContentBlock } from '#core/ports/model.ts';
import { buildMessages } from '#core/harness/context.ts';
import type { Entry } from '#contract/entries.ts';
import type { Command } from '#core/session/commands.ts';
import {
  answerWith,
  claim,
  createdWith,
  given,
  NOW,
  send,
  toolUse,
  type Scenario,
} from '#test/functions/core/given.ts';
import { RULES, SERVED, verdict } from '#test/functions/core/served.ts';

const LARGE: ToolContent = [{ type: 'text', text: `HEAD${'x'.repeat(150_000)}TAIL` }];
const SHORT: ToolContent = [{ type: 'text', text: 'found' }];
const ONLY_MCP: SessionAgent = { ...SERVED, tools: SERVED.tools.filter(({ type }) => type === 'mcp_toolset') };

const begun = (agent: SessionAgent) => given([createdWith(agent)]).when(send('look'));

/** One more call of the server, with this result. */
function withCall(scenario: Scenario, content: ToolContent, index = 0): Scenario {
  const request = EventId.parse(`sevt_r${index}`);
  const blocks = [toolUse(`toolu_${index}`, 'mcp__tracker__find')];
  const answered = { ...answerWith({ stopReason: 'tool_use', blocks }, request), rules: RULES };
  const asked = scenario
    .when(claim(request))
    .when({ ...answered, verdicts: new Map([verdict('allow', index)]) } as Command);
  const call = asked.head.state.calls[0] ?? expect.fail('no call');
  return asked.when({ do: 'result', call: call.id, content, isError: false });
}

function withCalls(agent: SessionAgent, contents: readonly ToolContent[]): Scenario {
  return contents.reduce<Scenario>(withCall, begun(agent));
}

/** The blocks of each result, as they are sent to the model. */
function shown({ entries }: Scenario): readonly (readonly ContentBlock[])[] {
  const blocks = buildMessages(entries).flatMap(({ content }) => content);
  return blocks.flatMap(({ type, content }) => (type === 'tool_result' && Array.isArray(content) ? [content] : []));
}

const noteIn = (blocks: readonly ContentBlock[] | undefined) => String(blocks?.[0]?.['text']);
const callsIn = ({ entries }: Scenario) =>
  entries.flatMap((entry) => ('event' in entry && entry.event.type === 'agent.mcp_tool_use' ? [entry.event.id] : []));

describe('a large result as the model sees it', () => {
  it('states its full length and its file', () => {
    const scenario = withCalls(SERVED, [LARGE]);
    const [blocks = []] = shown(scenario);
    expect(noteIn(blocks)).toBe(
      '[This result has 150008 characters, too many to be shown: what follows is its head and its tail. ' +
        `The whole text is in the file /workspace/.brainstem/outputs/${callsIn(scenario)[0]}.txt.]`,
    );
    expect(blocks[1]?.['text']).toMatch(/^HEADx+\n\[… \d+ characters left out …\]\nx+TAIL$/);
  });

  it('names no file when the agent cannot read files', () => {
    const note = noteIn(shown(withCalls(ONLY_MCP, [LARGE]))[0]);
    expect(note).toContain('150008 characters');
    expect(note).not.toContain('file');
  });

  it.each(['glob', 'write', 'edit'] as const)('names no file when the agent has only %s', (name) => {
    const config = { enabled: true, permission_policy: { type: 'always_allow' as const } };
    const toolset = {
      type: 'agent_toolset_20260401' as const,
      default_config: { ...config, enabled: false },
      configs: [{ type: name, name, ...config }],
    };
    const agent = { ...ONLY_MCP, tools: [...ONLY_MCP.tools, toolset] };
    expect(noteIn(shown(withCalls(agent, [LARGE]))[0])).not.toContain('file');
  });

  it('is unchanged when the agent changes later, which the provider’s cache needs', () => {
    const before = withCalls(SERVED, [LARGE]);
    const event = { id: EventId.parse('sevt_update'), type: 'session.updated', processed_at: NOW, agent: ONLY_MCP };
    const after = withCall(given([...before.entries, { event } as Entry]), LARGE, 1);
    const [first, second] = shown(after);
    expect(first).toEqual(shown(before)[0]);
    expect(noteIn(second)).not.toContain('file');
  });

  it('still names its file when the call is old and the result is shortened', () => {
    const scenario = withCalls(SERVED, [LARGE, ...Array.from({ length: 59 }, () => SHORT)]);
    const [oldest = []] = shown(scenario);
    expect(JSON.stringify(oldest).length).toBeLessThan(6000);
    expect(noteIn(oldest)).toContain(`${callsIn(scenario)[0]}.txt`);
  });

  it('is the whole text when that is short enough', () => {
    const content: ToolContent = [{ type: 'text', text: 'x'.repeat(100_000) }];
    const scenario = withCalls(SERVED, [content]);
    expect(shown(scenario)).toMatchObject([content]);
    expect(scenario.head.state.largeResults).toEqual([]);
  });
});

describe('the state of a session', () => {
  it('knows where its large results are, and holds none of their text', () => {
    const scenario = withCalls(SERVED, [LARGE, SHORT, LARGE]);
    const [first, , third] = callsIn(scenario);
    const { largeResults } = scenario.head.state;
    expect(largeResults.map(({ call }) => call)).toEqual([first, third]);
    expect(largeResults.map(({ position }) => scenario.entries[position - 1])).toMatchObject([
      { event: { type: 'agent.mcp_tool_result', mcp_tool_use_id: first } },
      { event: { type: 'agent.mcp_tool_result', mcp_tool_use_id: third } },
    ]);
  });

  it('forgets the oldest large results when there are very many', () => {
    const scenario = withCalls(
      SERVED,
      Array.from({ length: MAX_LARGE_RESULTS + 1 }, () => LARGE),
    );
    const { largeResults } = scenario.head.state;
    expect(largeResults.map(({ call }) => call)).toEqual(callsIn(scenario).slice(1));
  });
});
