import { describe, expect, it } from 'vitest';
import type { SessionAgent } from '#contract/agents.ts';
import type { Entry } from '#contract/entries.ts';
import { MAX_OUTPUT_CHARS } from '#contract/hands.ts';
import { EventId, FIRST_POSITION } from '#contract/ids.ts';
import { MAX_MEDIA_BYTES } from '#core/hands/web-content.ts';
import { webFetch, webFetchSettings, type WebFetchWorld } from '#core/hands/web-fetch.ts';
import type { Outbound, OutboundAnswer, OutboundFailure, OutboundRequest } from '#core/ports/outbound.ts';
import { change } from '#core/session/change.ts';
import {
  AGENT,
  answerWith,
  claim,
  CREATED,
  given,
  KEY,
  send,
  steadyStamp,
  toolUse,
} from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const URL_ASKED = 'https://www.example.com/page?key=1';
const POLICY = { type: 'always_allow' } as const;

/** The entry of `web_fetch` in the toolset of an agent. */
function agentWith(settings: object): SessionAgent {
  const config = { type: 'web_fetch', name: 'web_fetch', enabled: true, permission_policy: POLICY, url_sources: null };
  const toolset = {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: POLICY },
    configs: [{ ...config, ...settings }],
  };
  return { ...AGENT, tools: [toolset] as unknown as SessionAgent['tools'] };
}

const answering = (
  parts: Partial<Omit<OutboundAnswer, 'body'>> & { body?: string | Uint8Array } = {},
): OutboundAnswer => {
  const { body = 'hello', ...rest } = parts;
  return {
    status: 'answered',
    code: 200,
    headers: { 'content-type': 'text/plain' },
    url: URL_ASKED,
    ...rest,
    body: typeof body === 'string' ? Buffer.from(body) : body,
  };
};

/** A session in which the model has just called `web_fetch`. */
function stage(
  reply: OutboundAnswer | OutboundFailure | (() => Promise<never>),
  options: { input?: unknown; agent?: SessionAgent } = {},
) {
  const created = given([CREATED]);
  const asking = (
    options.agent === undefined ? created : created.when({ do: 'update', changes: { agent: options.agent } })
  )
    .when(send('go'))
    .when(claim())
    .when({
      ...answerWith({
        stopReason: 'tool_use',
        blocks: [toolUse('toolu_1', 'web_fetch', options.input ?? { url: URL_ASKED })],
      }),
      rules: new Map([['web_fetch', { kind: 'built-in', policy: 'always_allow' }]]),
    } as ReturnType<typeof answerWith>);
  const [call] = asking.head.state.calls;
  if (call === undefined) throw new Error('the model made no call');
  const log = memoryLog();
  log.create(KEY, asking.head, asking.entries);
  const requests: OutboundRequest[] = [];
  const outbound: Outbound = {
    async fetch(request) {
      requests.push(request);
      return typeof reply === 'function' ? reply() : reply;
    },
  };
  const lines: object[] = [];
  const world: WebFetchWorld = {
    log,
    stamp: steadyStamp(1000),
    outbound,
    readPage: (html, url) => ({ title: 'T', text: `${url} ${html.length}` }),
    journal: { line: (_message, fields) => void lines.push(fields), metric: () => {} },
  };
  const input = { ...KEY, call };
  const results = () =>
    log
      .entries(KEY)
      .flatMap((entry: Entry) => ('event' in entry && entry.event.type === 'agent.tool_result' ? [entry.event] : []));
  const run = async (over: Partial<WebFetchWorld> = {}) => {
    await webFetch({ ...world, ...over }, input);
    return results().at(-1);
  };
  return { world, log, input, requests, lines, results, run };
}

const textOf = (result: Awaited<ReturnType<ReturnType<typeof stage>['run']>>): string => {
  const [block] = result?.content ?? [];
  return block?.type === 'text' ? block.text : `a ${block?.type}`;
};

describe('one web fetch', () => {
  it('appends the text of the page as the result of its call', async () => {
    const { run, input, requests, lines } = stage(answering());
    expect(await run()).toMatchObject({
      tool_use_id: input.call.id,
      is_error: false,
      content: [{ type: 'text', text: 'hello' }],
    });
    expect(requests).toMatchObject([{ url: URL_ASKED, method: 'GET', limits: { maxRedirects: 5 } }]);
    expect(lines).toMatchObject([{ call: input.call.id, tool: 'web_fetch', outcome: 'fetched', is_error: false }]);
    expect(JSON.stringify(lines)).not.toContain('example.com');
  });

  it('is not made for a call that has a result', async () => {
    const { run, requests, results } = stage(answering());
    await run();
    await run();
    expect([requests.length, results().length]).toEqual([1, 1]);
  });

  it('keeps the first result when two attempts run at once', async () => {
    const { run, world, input, log, results } = stage(answering());
    const outbound: Outbound = {
      async fetch() {
        const head = await log.head(KEY);
        if (head === null) throw new Error('no log');
        const content = [{ type: 'text' as const, text: 'faster' }];
        await change(world, KEY, head, { do: 'result', call: input.call.id, content, isError: false });
        return answering();
      },
    };
    expect(textOf(await run({ outbound }))).toBe('faster');
    expect(results()).toHaveLength(1);
  });

  it('appends nothing when its attempt dies, so that a repeat can make it', async () => {
    const { run, results } = stage(() => Promise.reject(new Error('killed')));
    await expect(run()).rejects.toThrow('killed');
    expect(results()).toEqual([]);
    expect(textOf(await run({ outbound: { fetch: async () => answering() } }))).toBe('hello');
  });

  it('ends with a fault when the log does not hold the call that the run names', async () => {
    const { world, input } = stage(answering());
    const elsewhere = { ...input, call: { ...input.call, position: FIRST_POSITION } };
    await expect(webFetch(world, elsewhere)).rejects.toMatchObject({ code: 'stored_data_invalid' });
  });

  it('does nothing for a session that is deleted', async () => {
    const { world, input, requests } = stage(answering());
    await webFetch(world, { ...input, call: { ...input.call, id: EventId.parse('sevt_other') } });
    await webFetch({ ...world, log: memoryLog() }, input);
    expect(requests).toEqual([]);
  });
});

describe('a web fetch that fails', () => {
  it.each([
    ['blocked', 'url_not_allowed'],
    ['unreachable', 'url_not_accessible'],
    ['timeout', 'url_not_accessible'],
    ['redirects', 'url_not_accessible'],
    ['unreadable', 'url_not_accessible'],
    ['too_large', 'content_too_large'],
  ] as const)('with %s ends in the result %s', async (failure, error) => {
    const { run, lines } = stage({ status: 'failed', failure, message: 'www.example.com is not there' });
    const result = await run();
    expect(result).toMatchObject({ is_error: true });
    expect(textOf(result)).toBe(`${error}: www.example.com is not there`);
    expect(lines).toMatchObject([{ outcome: error, is_error: true }]);
  });

  it.each([
    [404, 'url_not_accessible: www.example.com answered HTTP 404'],
    [429, 'too_many_requests: www.example.com answered HTTP 429'],
    [304, 'url_not_accessible: www.example.com answered HTTP 304'],
  ])('with HTTP %i ends in a result that names the status', async (code, text) => {
    expect(textOf(await stage(answering({ code })).run())).toBe(text);
  });

  it.each([{}, { url: 7 }, { uri: URL_ASKED }])(
    'with the input %j ends in a result that names the field',
    async (input) => {
      const { run, requests } = stage(answering(), { input });
      expect(textOf(await run())).toBe('invalid_tool_input: url: must be a string');
      expect(requests).toEqual([]);
    },
  );
});

describe('the settings of web_fetch', () => {
  const ruleFor = async (settings: object, host: string) => {
    const { run, requests } = stage(answering(), { agent: agentWith(settings) });
    await run();
    return requests[0]?.ruleAgainst?.(host) ?? null;
  };

  it('can allow some domains with their subdomains', async () => {
    const settings = { allowed_domains: ['docs.example.com', 'Example.ORG'] };
    expect(await ruleFor(settings, 'docs.example.com')).toBeNull();
    expect(await ruleFor(settings, 'a.docs.example.com')).toBeNull();
    expect(await ruleFor(settings, 'example.org')).toBeNull();
    expect(await ruleFor(settings, 'example.com')).toBe('is not among the domains that this agent may fetch');
    expect(await ruleFor(settings, 'evildocs.example.com')).not.toBeNull();
  });

  it('can block some domains, or name none', async () => {
    expect(await ruleFor({ blocked_domains: ['ads.example.com'] }, 'x.ads.example.com')).toMatch(/must not fetch/);
    expect(await ruleFor({ blocked_domains: ['ads.example.com'] }, 'example.com')).toBeNull();
    expect(await ruleFor({ blocked_domains: null, allowed_domains: null }, 'example.com')).toBeNull();
  });

  it('cut a text to about the allowed number of tokens', async () => {
    const { run } = stage(answering({ body: 'x'.repeat(1000) }), { agent: agentWith({ max_content_tokens: 100 }) });
    expect(textOf(await run())).toBe(`${'x'.repeat(400)}\n\n(cut: the first 400 of 1000 characters)`);
  });

  it('can allow a longer text than other tools’ output, or keep that limit', async () => {
    const body = 'x'.repeat(MAX_OUTPUT_CHARS * 2);
    const longer = agentWith({ max_content_tokens: MAX_OUTPUT_CHARS });
    expect(textOf(await stage(answering({ body }), { agent: longer }).run())).toBe(body);
    expect(textOf(await stage(answering({ body })).run())).toContain(`(cut: the first ${MAX_OUTPUT_CHARS} of`);
  });

  it('are all unset when the agent has no entry for it', () => {
    expect(webFetchSettings(AGENT)).toEqual({});
    expect(webFetchSettings({ ...AGENT, tools: [] })).toEqual({});
    expect(webFetchSettings(agentWith({ max_content_tokens: null }))).toEqual({ max_content_tokens: null });
  });
});

describe('the result of a web fetch', () => {
  const shown = async (type: string | undefined, body: string | Uint8Array) => {
    const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
    const result = await stage(answering({ headers, body })).run();
    return result?.is_error === true ? textOf(result) : (result?.content ?? []);
  };
  const text = (expected: string) => [{ type: 'text', text: expected }];

  it('holds the readable text of an HTML page with its title', async () => {
    const page = text(`Title: T\n\n${URL_ASKED} 10`);
    expect(await shown('text/html; charset=utf-8', '<p>hi</p>\n')).toEqual(page);
    expect(await shown('application/xhtml+xml', '<p>hi</p>\n')).toEqual(page);
    expect(await shown(undefined, '<html>    ')).toEqual(page);
  });

  it.each([
    'text/markdown',
    'text/csv',
    'application/json',
    'application/ld+json',
    'application/rss+xml',
    'image/svg+xml',
  ])('holds text of the type %s unchanged', async (type) => {
    expect(await shown(type, '<a>1</a>')).toEqual(text('<a>1</a>'));
  });

  it('holds bytes of an unknown kind as text if they are text, else says that they are not', async () => {
    expect(await shown('application/octet-stream', 'plain')).toEqual(text('plain'));
    expect(await shown('application/octet-stream', 'a\0b')).toMatch(
      /^unsupported_content_type: application\/octet-stream/,
    );
    expect(await shown('application/zip', 'PK')).toMatch(/^unsupported_content_type: application\/zip cannot/);
    expect(await shown('x"<y>', 'PK')).toMatch(/^unsupported_content_type: binary content cannot/);
  });

  it('is decoded as the byte order mark, the header or the page declares', async () => {
    const latin = Buffer.from('caf\xe9', 'latin1');
    expect(await shown('text/plain; charset=ISO-8859-1', latin)).toEqual(text('café'));
    expect(await shown('text/plain; charset="nonsense"', Buffer.from('café'))).toEqual(text('café'));
    expect(await shown('text/plain', Buffer.from('\ufeffcafé', 'utf16le'))).toEqual(text('café'));
    const page = Buffer.from('<html><meta charset="iso-8859-1">caf\xe9', 'latin1');
    expect(await shown('text/xml', page)).toEqual(text('<html><meta charset="iso-8859-1">café'));
  });

  it('is never blank and never ends within a character', async () => {
    expect(await shown('text/plain', ' \n')).toEqual(text('(nothing to read there)'));
    const agent = agentWith({ max_content_tokens: 1 });
    expect(textOf(await stage(answering({ body: 'abc😀def' }), { agent }).run())).toBe(
      'abc\n\n(cut: the first 3 of 8 characters)',
    );
  });

  it('holds a PDF as a document, whatever media type the server declares', async () => {
    const pdf = Buffer.from('%PDF-1.7\n…');
    const source = { type: 'base64', media_type: 'application/pdf', data: pdf.toString('base64') };
    expect(await shown('application/pdf', pdf)).toEqual([{ type: 'document', source }]);
    expect(await shown('application/octet-stream', pdf)).toEqual([{ type: 'document', source }]);
    expect(await shown('application/pdf', '<html>log in</html>')).toMatch(/^unsupported_content_type/);
    expect(await shown('application/pdf', '%PDF-1.7 /Encrypt 5 0 R')).toMatch(/encrypted/);
    expect(await shown('application/pdf', Buffer.alloc(MAX_MEDIA_BYTES + 1, '%PDF-1.7'))).toMatch(/^content_too_large/);
  });

  it('holds an image as an image, whatever media type the server declares', async () => {
    const source = { type: 'base64', media_type: 'image/png', data: png(640, 480).toString('base64') };
    expect(await shown('image/whatever', png(640, 480))).toEqual([{ type: 'image', source }]);
    expect(await shown('text/plain', png(640, 480))).toEqual([{ type: 'image', source }]);
  });

  it('holds no image that the provider would refuse', async () => {
    expect(await shown('image/png', png(640, 480).subarray(0, 20))).toMatch(/damaged/);
    expect(await shown('image/png', png(0, 480))).toMatch(/damaged/);
    expect(await shown('image/jpeg', Buffer.from('ffd8ff00', 'hex'))).toMatch(/damaged/);
    expect(await shown('image/png', png(640, 9000))).toBe(
      'content_too_large: an image of 640×9000 pixels; at most 8000 a side',
    );
    expect(await shown('image/png', 'not a PNG')).toMatch(/^unsupported_content_type: image\/png/);
  });
});

function png(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(33);
  bytes.write('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1');
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}
