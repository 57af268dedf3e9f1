import { expect, it, onTestFinished } from 'vitest';
import { connected, VAULT } from '#test/functions/core/vault/refresh.fixture.ts';
import { PNG } from '#test/mcp/fx-tools.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession, userOf } from '#test/mcp/proxy-sessions.ts';

it.each(['legacy', 'modern'] as const)(
  'scenario 15: a token that a %s server echoes is redacted from the result, and the audit trail says so',
  async (era) => {
    const fx = await startFx({ era });
    onTestFinished(fx.close);
    const alice = userOf(fx, 'alice');
    fx.tokens = new Map([[alice.token, []]]);
    const session = fxSession(fx, { tool: 'echo_headers', input: {} });

    await session.call();

    expect(session.results()).toMatchObject([
      { is_error: false, content: [{ text: expect.stringContaining('[redacted:vcrd_alice]') }] },
    ]);
    expect(JSON.stringify([session.entries(), session.lines, session.audited])).not.toContain(alice.token);
    expect(session.outcomes()).toMatchObject([{ outcome: 'done', secret_echo: true }]);
  },
);

it('scenario 15: a token that was refused and rotated before the echo is redacted too', async () => {
  const { server, first, tokens, row, bearer, engine } = await connected({ expiresInMs: 3_000_000 });
  const refused = await bearer();
  const fx = await startFx({ tokens: {} });
  onTestFinished(fx.close);
  fx.intercept = async ({ headers }) => {
    const token = headers['authorization']?.replace(/^Bearer /, '') ?? '';
    if (token !== first.access_token) fx.tokens?.set(token, []);
    // Another instance refreshes first, so this one never has both tokens at the same time.
    else if (refused.status === 'bearer') await engine().renew(refused);
    return undefined;
  };
  const now = (headers: Readonly<Record<string, string>>) => `${first.access_token} then ${headers['authorization']}`;
  fx.tools.set('sum', {
    ...{ name: 'sum', description: 'Adds', inputSchema: { type: 'object', properties: {} } },
    run: ({ headers }) => ({ content: [{ type: 'text', text: now(headers) }] }),
  });
  const match = async () => [{ vault: VAULT, stored: await row() }];
  const session = fxSession(fx, { over: { tokens, credentials: { match } } });

  await session.call();

  expect(server.tokenRequests).toHaveLength(1);
  expect(session.results()).toMatchObject([
    { content: [{ text: expect.stringMatching(/^(\[redacted:\w+\]) then Bearer \1$/) }] },
  ]);
  expect(session.outcomes()).toMatchObject([{ outcome: 'done', secret_echo: true }]);
});

it('scenario 15: an image with the token in its bytes is withheld', async () => {
  const fx = await startFx();
  onTestFinished(fx.close);
  const alice = userOf(fx, 'alice');
  fx.tools.set('image', {
    name: 'image',
    description: 'Answers an image',
    inputSchema: { type: 'object', properties: {}, required: [] },
    run: ({ headers }) => ({
      content: [
        // A real image with bytes behind its end.
        { type: 'image', mimeType: 'image/png', data: base64(Buffer.from(PNG, 'base64'), headers['authorization']) },
        { type: 'resource', resource: { uri: `file:///${alice.token}`, text: 'x' } },
      ],
    }),
  });
  const session = fxSession(fx, { tool: 'image', input: {} });

  await session.call();

  expect(session.outcomes()).toMatchObject([{ outcome: 'done', secret_echo: true }]);
  const told = JSON.stringify(session.results());
  expect(told).not.toContain(alice.token);
  expect(told).not.toContain(PNG.slice(0, 40));
});

const base64 = (image: Buffer, more = '') => Buffer.concat([image, Buffer.from(more)]).toString('base64');

it('scenario 15: a text that came as bytes is shown with the token redacted', async () => {
  const fx = await startFx();
  onTestFinished(fx.close);
  const alice = userOf(fx, 'alice');
  fx.tools.set('resource', {
    name: 'resource',
    description: 'Answers a text as bytes',
    inputSchema: { type: 'object', properties: {} },
    run: () => ({
      content: ['é ', 'x', 'xy'].map((before) => {
        const blob = Buffer.from(`${before}${alice.token} and more`).toString('base64');
        return { type: 'resource', resource: { uri: 'file:///a', mimeType: 'text/plain', blob } };
      }),
    }),
  });
  const session = fxSession(fx, { tool: 'resource', input: {} });

  await session.call();

  expect(session.results()).toMatchObject([
    {
      is_error: false,
      content: ['é ', 'x', 'xy'].map((before) => ({
        text: `the resource file:///a:\n\n${before}[redacted:vcrd_alice] and more`,
      })),
    },
  ]);
  expect(session.outcomes()).toMatchObject([{ outcome: 'done', secret_echo: true }]);
});
