/**
 * Random histories of what models, hands, clients and servers may say: no request that follows from one is refused by the
 * strict stand-in for the Messages API.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SessionAgent } from '#contract/agents.ts';
import { filesIn, ToolContent, ToolResultInput, UserContent } from '#contract/content.ts';
import type { HeldFile, HeldFiles } from '#contract/entries.ts';
import type { EventInput } from '#contract/events.ts';
import { BlobKey } from '#contract/files.ts';
import { EventId, FileId } from '#contract/ids.ts';
import { buildRequest } from '#core/harness/context.ts';
import { leaveOut } from '#core/harness/culprit.ts';
import { blocksIn, holdsFiles } from '#core/harness/gate.ts';
import { next } from '#core/harness/next.ts';
import { buildSummaryRequest } from '#core/harness/summary.ts';
import { fullTokens } from '#core/model/room.ts';
import { agentOf, earlierBlocks, offeredTools } from '#core/model/slice.ts';
import type { ContentBlock, ModelRequest } from '#core/ports/model.ts';
import type { Command } from '#core/session/commands.ts';
import { callsIn } from '#core/session/decide-answer.ts';
import { toolRules } from '#core/tools/tool-definitions.ts';
import { AGENT, answer, createdWith, given, IDS, queuedIn, sends, type Scenario } from '#test/functions/core/given.ts';
import { OFFERED, SERVED } from '#test/functions/core/served.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { png } from '#test/model/png.ts';
import { ALWAYS_THE_SAME, propertyRuns } from '#test/property-runs.ts';

const CUSTOM = { type: 'custom', description: 'w', input_schema: { type: 'object', properties: null } } as const;
const FULL_AGENT: SessionAgent = {
  ...SERVED,
  tools: [...SERVED.tools, { ...CUSTOM, name: 'weather' }, { ...CUSTOM, name: 'bash' }],
};
const AGENTS: readonly SessionAgent[] = [
  FULL_AGENT,
  { ...AGENT, tools: [] },
  { ...SERVED, tools: SERVED.tools.filter((tool) => tool.type === 'mcp_toolset'), system: ' ' },
  { ...AGENT, tools: [{ ...CUSTOM, name: 'weather' }], system: null },
];

// What anyone may say.

const words = fc.constantFrom('hello', '', ' ', '\n\n', 'half \ud99c', '\udc00 half', '🙂', '\u0000', 'x'.repeat(9000));
const pixels = fc.constantFrom(1, 1000, 2000, 2001, 2560, 8000, 8001);
const base64 = (bytes: Buffer) => bytes.toString('base64');
const imageOf = (data: string, media_type = 'image/png') => ({
  type: 'image',
  source: { type: 'base64', media_type, data },
});
const image = fc.oneof(
  fc
    .tuple(pixels, pixels, fc.constantFrom('image/png', 'image/jpeg'))
    .map(([w, h, type]) => imageOf(base64(png(w, h)), type)),
  fc.constant({ type: 'image', source: { type: 'url', url: 'https://a.com/a.png' } }),
  fc
    .constantFrom('file_image1', 'file_image1000', 'file_image2001', 'file_image8000')
    .map((file_id) => ({ type: 'image', source: { type: 'file', file_id } })),
);
/** Files as `api` accepts them: at most 8,000 pixels, no blank text. */
const FILES: HeldFiles = Object.fromEntries([
  ...[1, 1000, 2001, 8000].map((side) => [FileId.parse(`file_image${side}`), blobOf('image/png', png(side, 1), side)]),
  [FileId.parse('file_pdf'), blobOf('application/pdf', Buffer.from('%PDF-1.7'))],
  [FileId.parse('file_text'), { type: 'text', media_type: 'text/plain', data: 'a,b' }],
]);
function blobOf(media_type: string, bytes: Buffer, side?: number): HeldFile {
  const held = { type: 'blob', media_type, blob: BlobKey.parse(`blobs/${'0'.repeat(24)}`) } as const;
  return { ...held, chars: base64(bytes).length, ...(side !== undefined && { side }) };
}
/** A request as it is asked: the bytes come last. */
function filled(request: ModelRequest): ModelRequest {
  const whole = (one: ContentBlock): ContentBlock => {
    const { type, media_type, side = 1 } = Object(one['source']);
    if (one.type === 'tool_result') return { ...one, content: blocksIn(one).map(whole) };
    if (type !== 'blob') return one;
    const bytes = one.type === 'image' ? png(side, 1) : Buffer.from('%PDF-1.7');
    return { ...one, source: { type: 'base64', media_type, data: base64(bytes) } };
  };
  return { ...request, messages: request.messages.map((one) => ({ ...one, content: one.content.map(whole) })) };
}

const document = fc
  .record({
    source: fc.oneof(
      fc.constant({ type: 'base64', media_type: 'application/pdf', data: base64(Buffer.from('%PDF-1.7')) }),
      fc.constant({ type: 'url', url: 'https://a.com/a.pdf' }),
      words.map((data) => ({ type: 'text', media_type: 'text/plain', data })),
      fc.constantFrom('file_pdf', 'file_text').map((file_id) => ({ type: 'file', file_id })),
    ),
    title: fc.oneof(words, fc.constant(null)),
    context: words,
  })
  .map((fields) => ({ type: 'document', ...fields }));
const found = fc
  .record({
    source: words,
    title: words,
    content: fc.array(
      words.map((text) => ({ type: 'text', text })),
      { maxLength: 2 },
    ),
    citations: fc.boolean().map((enabled) => ({ enabled })),
  })
  .map((fields) => ({ type: 'search_result', ...fields }));
const text = words.map((said) => ({ type: 'text', text: said }));

/** Content as a schema of the contract lets it in. */
function contentOf<Content>(
  schema: { safeParse(value: unknown): { success: boolean; data?: Content } },
  maxLength: number,
) {
  const block = fc.oneof({ weight: 4, arbitrary: text }, { weight: 3, arbitrary: image }, document, found);
  const some = fc.array(block, { maxLength, size: 'max' });
  return some.map((blocks) => blocks.filter((one) => schema.safeParse([one]).success) as Content);
}
const userContent = fc
  .oneof({ weight: 4, arbitrary: contentOf(UserContent, 3) }, { weight: 1, arbitrary: contentOf(UserContent, 40) })
  .filter((content) => UserContent.safeParse(content).success);

// What the model may write.

const json = fc.oneof(
  fc.dictionary(words, fc.oneof(words, fc.array(words), fc.constant(null), fc.dictionary(words, words))),
  fc.constantFrom('{"command":', null, [], 7),
);
const NAMES = [
  'bash',
  'read',
  'weather',
  'mcp__tracker__find',
  'mcp__tracker__drop',
  'functions.bash<|x|>',
  '',
  'ü'.repeat(300),
];
const use = fc
  .record({ id: fc.constantFrom('toolu_1', 'toolu_2', 'a b', 'é', '#'), name: fc.constantFrom(...NAMES), input: json })
  .map((fields) => ({ type: 'tool_use', ...fields }));
const thought = fc.constantFrom<ContentBlock>(
  { type: 'thinking', thinking: 'hm', signature: 'sig' },
  { type: 'thinking', thinking: 'hm', signature: '' },
  { type: 'thinking', thinking: 'hm' },
  { type: 'thinking', thinking: 'half \ud99c', signature: 'sig' },
  { type: 'redacted_thinking', data: 'x' },
  { type: 'redacted_thinking' },
);
/** A search by the provider: `whole` has its result beside it. */
const search = fc.constantFrom('whole', 'open', 'result' as const);

const reply = fc.record({
  blocks: fc.array(
    fc.oneof<fc.Arbitrary<ContentBlock | string>[]>(
      { weight: 3, arbitrary: text } as never,
      { weight: 4, arbitrary: use } as never,
      { weight: 2, arbitrary: thought } as never,
      search as never,
    ) as fc.Arbitrary<ContentBlock | 'whole' | 'open' | 'result'>,
    { maxLength: 5 },
  ),
  stopReason: fc.constantFrom('end_turn', 'tool_use', 'pause_turn', 'max_tokens', 'refusal'),
  share: fc.double({ min: 0, max: 1.1, noNaN: true }),
});

const path = fc.oneof(
  fc.constant(null),
  fc.tuple(fc.nat(6), fc.nat(3)).map(([message, block]) => `messages.${message}.content.${block}`),
  fc
    .tuple(fc.nat(6), fc.nat(2))
    .map(([message, block]) => `messages.${message}.content.0.tool_result.content.${block}`),
  fc.nat(9).map((tool) => `tools.${tool}`),
);

const happening = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('say' as const), content: userContent }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('step' as const),
      reply,
      end: fc.oneof(
        { weight: 8, arbitrary: fc.constant('answer' as const) },
        fc.constantFrom('crash' as const, 'refused' as const, 'too large' as const),
      ),
      path,
      // Hands bring bytes, and never name a file.
      results: fc.array(
        contentOf(ToolContent, 3).map((content) => content.filter((one) => filesIn([one]).length === 0)),
        { minLength: 1, maxLength: 3 },
      ),
      custom: fc.oneof(contentOf(ToolResultInput, 3), fc.constantFrom(null, undefined)),
      isError: fc.boolean(),
      isListed: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('interrupt' as const), content: userContent }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('update' as const), agent: fc.constantFrom(...AGENTS) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('system' as const), said: fc.constantFrom('Be brief.', 'Rhyme.') }),
  },
);
type Happening = typeof happening extends fc.Arbitrary<infer Value> ? Value : never;
type Step = Extract<Happening, { do: 'step' }>;

const sending = (...events: readonly EventInput[]): Command => ({ do: 'send', events, files: FILES });

const seen = new Set<string>();
let count = 0;

function after(scenario: Scenario, event: Happening): Scenario {
  switch (event.do) {
    case 'say':
      return scenario.when(sending({ type: 'user.message', content: event.content }));
    case 'interrupt':
      return scenario.when(sending({ type: 'user.interrupt' }, { type: 'user.message', content: event.content }));
    case 'system':
      return scenario.when(sends({ type: 'system.message', content: [{ type: 'text', text: event.said }] }));
    case 'update':
      return scenario.when({ do: 'update', changes: { agent: event.agent } });
    case 'step':
      return stepped(scenario, event);
    default:
      return event satisfies never;
  }
}

function stepped(scenario: Scenario, event: Step): Scenario {
  const { state } = scenario.head;
  const step = next(state);
  switch (step.do) {
    case 'rest':
      return state.calls.reduce((now, call) => answered(now, call, event), scenario);
    case 'use hands':
      return step.calls.reduce(
        (now, { id }, index) =>
          now.when({
            do: 'result',
            call: id,
            content: event.results[index % event.results.length] ?? [],
            isError: event.isError,
            ...(event.isListed && { programsLive: true }),
          }),
        scenario,
      );
    case 'harvest':
      return scenario.when({ do: 'harvested', since: step.since, programsLive: event.isListed });
    case 'await action':
    case 'end turn':
      return scenario.when(step);
    case 'list tools': {
      const tools = event.isListed ? OFFERED : [];
      return scenario.when({ do: 'listed', run: state.run, tools, sha256: `${event.isListed}`, failed: [] });
    }
    case 'ask':
    case 'compact':
      return asked(scenario, step.do, event);
    case 'evaluate':
      throw new TypeError('these sessions have no outcome');
    case 'give up':
      return scenario.when({ ...step, taken: queuedIn(scenario) });
    case 'continue':
      return scenario.when({ do: 'continue', run: state.run, reason: 'long' });
    default:
      return step satisfies never;
  }
}

function answered(
  scenario: Scenario,
  { id, waitsFor }: Scenario['head']['state']['calls'][number],
  event: Step,
): Scenario {
  if (waitsFor === 'confirmation') {
    return scenario.when(
      sends({ type: 'user.tool_confirmation', tool_use_id: id, result: event.isError ? 'deny' : 'allow' }),
    );
  }
  if (waitsFor !== 'client') return scenario;
  return scenario.when(
    sending({
      type: 'user.custom_tool_result',
      custom_tool_use_id: id,
      content: event.custom,
      is_error: event.isError,
    }),
  );
}

function asked(scenario: Scenario, step: 'ask' | 'compact', event: Step): Scenario {
  count += 1;
  const request = EventId.parse(`sevt_request${count}`);
  const claimed = scenario.when({ do: 'claim', request, taken: step === 'ask' ? queuedIn(scenario) : [] });
  const built =
    step === 'ask' ? buildRequest(claimed.entries) : buildSummaryRequest(claimed.entries, claimed.head.state);
  const refusal = refusalOf(filled(built));
  if (refusal !== null)
    throw new Error(`the provider would refuse the request: ${refusal}\n${JSON.stringify(built.messages)}`);
  if (holdsFiles(built)) seen.add('files');
  note(
    built.messages.flatMap(({ content }) => content),
    built.extra,
  );
  if (event.end === 'crash') return claimed;
  const failure = { do: 'fail', request, error: 'model_request_failed_error', message: 'no' } as const;
  if (event.end === 'too large' || (event.end === 'refused' && step === 'compact')) {
    return claimed.when({ ...failure, verdict: 'too large' });
  }
  if (event.end === 'refused') {
    const leftOut = leaveOut(claimed.entries, event.path);
    seen.add(leftOut === null ? 'nothing helped' : 'something was left out');
    return claimed.when({
      ...failure,
      verdict: leftOut === null ? 'exhausted' : 'refused',
      leftOut: leftOut ?? { named: null, tried: [] },
    });
  }
  if (step === 'compact') {
    seen.add('a summary');
    const agent = agentOf(claimed.entries);
    return claimed.when({
      do: 'compacted',
      request,
      summary: 'They met.',
      usage: answer().usage,
      agent,
      guides: {},
      outcome: null,
    });
  }
  return claimed.when(answerOf(claimed, request, event));
}

function answerOf({ entries }: Scenario, request: EventId, { reply: { blocks, stopReason, share } }: Step) {
  const usage = { ...answer().usage, input_tokens: Math.floor(share * fullTokens(AGENT.model.id)) };
  const written = blocks.flatMap((block, index) =>
    typeof block === 'string' ? searched(block, index, entries) : [block],
  );
  const said = answer({ blocks: written, stopReason, usage });
  const verdicts = callsIn(said).map(({ key }, index) => {
    const id = EventId.parse(`sevt_call${count}x${index}`);
    return [key, { id, decision: 'allow', reason: '' }] as const;
  });
  const rules = toolRules(agentOf(entries), offeredTools(entries));
  return {
    do: 'answer',
    ...{ request, answer: said, rules, ids: IDS, verdicts: new Map(verdicts), earlier: earlierBlocks(entries) },
  } as const;
}

/** A result belongs to an open search of the answer before, as the provider gives it. */
function searched(
  part: 'whole' | 'open' | 'result',
  index: number,
  entries: Scenario['entries'],
): readonly ContentBlock[] {
  const id = `srvtoolu_${count}_${index}`;
  const call = { type: 'server_tool_use', id, name: 'web_search', input: { query: 'q' } };
  const result = (of: unknown) => ({ type: 'web_search_tool_result', tool_use_id: of, content: [] });
  if (part === 'open') return [call];
  if (part === 'whole') return [call, result(id)];
  const messages = buildRequest(entries).messages.findLast(({ role }) => role === 'assistant')?.content ?? [];
  const open = messages.filter(
    (one) => one.type === 'server_tool_use' && !messages.some((other) => other['tool_use_id'] === one['id']),
  );
  return index === 0 ? open.map((one) => result(one['id'])) : [];
}

/** What the requests held, so that the test can tell that it was about something. */
function note(blocks: readonly ContentBlock[], extra: Readonly<Record<string, unknown>>): void {
  for (const { type } of blocks) seen.add(type);
  if (blocks.filter(({ type }) => type === 'image').length >= 15) seen.add('many images');
  if (Object.hasOwn(extra, 'tool_choice')) seen.add('no tool may be called');
}

describe('any history', () => {
  it('leads to a request that the provider accepts', () => {
    const histories = fc.tuple(
      fc.constantFrom(...AGENTS, FULL_AGENT, FULL_AGENT),
      fc.array(happening, { minLength: 1, maxLength: 60, size: 'max' }),
    );
    const property = fc.property(histories, ([agent, events]) => {
      events.reduce(after, given([createdWith(agent)]));
    });
    fc.assert(property, { ...ALWAYS_THE_SAME, numRuns: 60 });
    const rare = [
      'files',
      'tool_use',
      'tool_result',
      'server_tool_use',
      'web_search_tool_result',
      'thinking',
      'redacted_thinking',
    ];
    const rarer = ['many images', 'no tool may be called', 'a summary', 'something was left out'];
    expect([...rare, ...rarer].filter((what) => !seen.has(what))).toEqual([]);
    fc.assert(property, { numRuns: propertyRuns(400) });
  });
});
