import { describe, expect, it } from 'vitest';
import { createPolicyCheck } from '#aws/policy/policy-check.cedar.ts';
import { PAY, REFUND, tool } from '#test/functions/core/policy/facts.ts';

const TOOLS = [
  { url: PAY, tool: REFUND },
  { url: PAY, tool: tool('list', { type: 'object', properties: { page: { type: 'integer' }, any: {} } }) },
];

const problems = async (text: string, tools = TOOLS) => {
  const checked = await createPolicyCheck().check(text, tools);
  return checked.problems.map(({ at, policy, message }) => [at && `${at.line}:${at.column}`, policy, message]);
};

describe('the check of policies before they are saved', () => {
  it.each([
    '',
    'permit(principal, action, resource);',
    'permit(principal, action == MA::Action::"pay.example.com/refund", resource) when { context.args.amount.lessThan(decimal("100.0")) };',
    'permit(principal, action in MA::Action::"pay.example.com", resource) when { principal.agent.version >= 3 };',
    'permit(principal in MA::Workspace::"wrkspc_1", action in MA::Action::"callTool", resource == MA::McpServer::"https://x");',
    'permit(principal, action, resource) when { principal has user && principal.user == MA::User::"alice" };',
    'forbid(principal, action, resource) unless { context.call.thread_primary && resource.host like "*.example.com" };',
    'forbid(principal, action, resource) when { context.args has amount && context.args.amount.greaterThan(decimal("1.0")) };',
    'forbid(principal, action, resource) when { context.call.hints has destructive && context.call.hints.destructive };',
    '@id("a") @advice("ask") @reason("why") permit(principal, action, resource) when { context.call.now > datetime("2026-01-01") };',
  ])('passes: %s', async (text) => {
    expect(await problems(text)).toEqual([]);
  });

  it('names line and column of a syntax error', async () => {
    expect(
      await problems('// äöü €\npermit(principal, action, resource);\n  forbid(principal, actoin, resource);'),
    ).toEqual([['3:21', null, expect.stringContaining('invalid variable in the policy scope: actoin')]]);
    expect(await problems('permit(principal')).toEqual([['1:17', null, expect.stringContaining('expected')]]);
  });

  it.each([
    [
      'a misspelled attribute',
      'principal.usr == MA::User::"x"',
      'attribute `usr` on entity type `MA::Session` not found',
    ],
    ['one that may be absent', 'principal.user == MA::User::"x"', 'optional attribute'],
    ['another type', 'context.args.amount > 5', 'expected Long but saw decimal'],
    ['an argument the tool does not have', 'context.args.total > 5', 'attribute `args.total`'],
    ['an optional argument as if it were there', 'context.args.note == "x"', 'optional attribute `args.note`'],
  ])('names line, column and policy for %s', async (_, condition, message) => {
    const text = `@id("rule")\npermit(principal, action == MA::Action::"pay.example.com/refund", resource)\nwhen { ${condition} };`;
    expect(await problems(text)).toEqual([[expect.stringMatching(/^3:/), 'rule', expect.stringContaining(message)]]);
  });

  it('demands that a policy over all tools uses only what each of them has', async () => {
    const text = 'permit(principal, action, resource) when { context.args.amount.lessThan(decimal("1.0")) };';
    expect((await problems(text)).length).toBeGreaterThan(0);
    expect((await problems(text, [])).length).toBeGreaterThan(0);
  });

  const MANY = Array.from({ length: 2000 }, (_, index) => {
    const properties = { amount: { type: 'integer' }, note: { type: 'string' }, [`own_${index}`]: { type: 'string' } };
    return { url: PAY, tool: tool(`tool_${index}`, { type: 'object', properties, required: ['amount'] }) };
  });
  /** About as long as a text may be. */
  const long = (policy: (index: number) => string) => {
    const one = (index: number) => `@id("p${index}") forbid${policy(index)};`;
    return Array.from({ length: Math.floor(100_000 / one(1000).length) }, (_, index) => one(index)).join('\n');
  };
  const ofTool = (index: number) => `action == MA::Action::"pay.example.com/tool_${index}"`;

  it.each<[string, (index: number) => string]>([
    ['all tools', () => '(principal, action, resource) when { context.args has amount && context.args.amount > 5 }'],
    ['one tool each', (index) => `(principal, ${ofTool(index)}, resource) when { context.args.amount > ${index} }`],
  ])(
    'takes seconds for the longest text about %s of 2,000 tools, and finds its last fault',
    async (_, policy) => {
      const text = long(policy);
      const bad = '@id("bad") forbid(principal, action, resource) when { context.call.nothing };';
      const faults = await problems(`${text}\n${bad}`, MANY);
      expect(faults.length).toBeGreaterThan(0);
      const line = text.split('\n').length + 1;
      for (const fault of faults) expect(fault.slice(0, 2)).toEqual([`${line}:55`, 'bad']);
    },
    60_000,
  );

  it('refuses policies that divide many tools into too many forms, with the rule', async () => {
    const text = long((index) => `(principal, action, resource) when { context.args has own_${index} }`);
    expect(await problems(text, MANY)).toEqual([
      [null, null, expect.stringMatching(/^are too long for .* 2000 tools of \d+ forms: .* at most 5000000 in all/)],
    ]);
    const short = text.split('\n').slice(0, 20).join('\n');
    expect(await problems(short, MANY)).toEqual([]);
  });

  it('passes policies about tools that were never listed, and names them', async () => {
    const text = `@id("new") permit(principal, action == MA::Action::"new.example.com/x", resource) when { context.args.y > 1 };
      @id("host") permit(principal, action in [MA::Action::"callTool", MA::Action::"other.example.com"], resource);
      @id("known") permit(principal, action in MA::Action::"callTool", resource);`;
    const checked = await createPolicyCheck().check(text, TOOLS);
    expect(checked).toEqual({
      problems: [],
      unchecked: [
        { policy: 'new', actions: ['new.example.com/x'] },
        { policy: 'host', actions: ['other.example.com'] },
      ],
    });
  });

  it('keeps the names of more than ten policies', async () => {
    const good = Array.from({ length: 11 }, (_, index) => `@id("p${index}") permit(principal, action, resource);`);
    const text = [...good, '@id("bad") permit(principal, action, resource) when { principal.x };'].join('\n');
    expect(await problems(text)).toEqual([[expect.stringMatching(/^12:/), 'bad', expect.stringContaining('`x`')]]);
  });

  it.each([
    [
      'two of one name',
      '@id("a") permit(principal, action, resource); @id("a") forbid(principal, action, resource);',
      'must be unique',
    ],
    ['the name of the built-in one', '@id("default_permit") permit(principal, action, resource);', 'built-in'],
    ['a name with spaces', '@id("a b") permit(principal, action, resource);', '@id: must have'],
    ['advice that is none', '@advice("maybe") permit(principal, action, resource);', '@advice: must be "ask"'],
    ['advice on a forbid', '@advice("ask") forbid(principal, action, resource);', 'is for a permit'],
    ['a template', 'permit(principal == ?principal, action, resource);', 'templates'],
    ['too long a reason', `@reason("${'x'.repeat(501)}") permit(principal, action, resource);`, 'at most 500'],
  ])('refuses %s', async (_, text, message) => {
    const told = await problems(text);
    expect(told).toEqual([[null, text.includes('?') ? null : expect.any(String), expect.stringContaining(message)]]);
  });

  const stray = 'HTTPS://Pay.Example.com:443/mcp/';
  it.each([
    ['as the resource', `forbid(principal, action, resource == MA::McpServer::"${stray}");`],
    ['in which the resource is', `forbid(principal, action, resource in MA::McpServer::"${stray}");`],
    ['of its type', `forbid(principal, action, resource is MA::McpServer in MA::McpServer::"${stray}");`],
    ['in a condition', `forbid(principal, action, resource) when { resource == MA::McpServer::"${stray}" };`],
    [
      'among others',
      `forbid(principal, action, resource) unless { resource in [MA::McpServer::"${PAY}", MA::McpServer::"${stray}"] };`,
    ],
    [
      'beside an unknown tool',
      `forbid(principal, action == MA::Action::"x.example.com/y", resource == MA::McpServer::"${stray}");`,
    ],
  ])('refuses a server URL that is not canonical, %s', async (_, text) => {
    const message = `MA::McpServer::"${stray}" is the name of no server: write MA::McpServer::"${PAY}"`;
    expect(await problems(text)).toEqual([[null, 'policy0', message]]);
  });

  it('refuses a server that is no URL or has a password, and does not repeat it', async () => {
    const text = (id: string) => `permit(principal, action, resource == MA::McpServer::"${id}");`;
    const message = 'MA::McpServer: must be an http or https URL without user and password';
    for (const id of ['payments', 'ftp://pay.example.com', 'https://me:hunter2@pay.example.com/mcp'])
      expect(await problems(text(id))).toEqual([[null, 'policy0', message]]);
  });

  it('passes text and annotations that contain a malformed server URL', async () => {
    const text = `@type("MA::McpServer") @id("x") permit(principal, action, resource)
      when { resource.name == "MA::McpServer::\\"${stray}\\"" };`;
    expect(await problems(text)).toEqual([]);
  });

  it('knows of tools that share a host only the fields that both have', async () => {
    const twin = {
      url: 'https://pay.example.com/v2',
      tool: tool('refund', { properties: { amount: { type: 'number' } } }),
    };
    const text =
      'permit(principal, action == MA::Action::"pay.example.com/refund", resource) when { context.args.amount.lessThan(decimal("1.0")) };';
    expect(await problems(text, [...TOOLS, twin])).toEqual([
      [expect.anything(), 'policy0', expect.stringContaining('optional')],
    ]);
    const other = {
      ...twin,
      tool: tool('refund', { properties: { amount: { type: 'string' } }, required: ['amount'] }),
    };
    expect(await problems(text, [...TOOLS, other])).toEqual([
      [expect.anything(), 'policy0', expect.stringContaining('not found')],
    ]);
  });
});
