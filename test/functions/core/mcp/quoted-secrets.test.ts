/** Servers that quote the token in fields of an answer other than its content. */
import { expect, it } from 'vitest';
import { makeCall } from '#core/mcp/make-call.ts';
import { listServers } from '#core/mcp/list-servers.ts';
import type { McpCalled, McpFailure } from '#core/ports/mcp-client.ts';
import { KEY } from '#test/functions/core/given.ts';
import {
  ALICE,
  credentialIn,
  failure,
  FX_URL,
  proxyStage,
  tokenOf,
  type ProxyStage,
} from '#test/functions/core/mcp/proxy-stage.ts';

const TOKEN = tokenOf(credentialIn(ALICE.vault));
const BEGINNING = TOKEN.slice(0, 8);

async function answeredWith(reply: McpCalled | McpFailure): Promise<ProxyStage> {
  const stage = proxyStage();
  stage.replies[0] = reply;
  await makeCall(stage.world, stage.request, stage.until);
  return stage;
}

const asking = (parts: { readonly url?: string; readonly message?: string; readonly state?: string }): McpCalled => ({
  status: 'input_required',
  requests: [{ id: 'pay', url: parts.url ?? 'https://pay.example.com/', message: parts.message ?? '' }],
  state: parts.state ?? null,
});

/** Everything about a call that is stored or shown. */
const kept = (stage: ProxyStage) =>
  JSON.stringify([stage.entries(), stage.offers, [...stage.marks.all.values()], stage.audited, stage.lines]);

it('a scope that contains the token is dropped: the client is not told of it, and no consent asks for it', async () => {
  const resourceMetadata = `https://fx.example.com/${TOKEN}`;
  const refusal = failure({ kind: 'scope_required', scopes: ['files:read', TOKEN], resourceMetadata });
  const stage = await answeredWith(refusal);
  expect(stage.errors()).toMatchObject([{ error: { message: expect.stringContaining(': files:read. To let') } }]);
  expect(stage.offers).toMatchObject([{ scopes: ['files:read'], server: { resourceMetadata: null } }]);
  expect(stage.outcomes()).toMatchObject([{ outcome: 'suspended', secret_echo: true }]);
  expect(kept(stage)).not.toContain(TOKEN);
});

it('a scope that contains the token is dropped also when tools are listed', async () => {
  const stage = proxyStage();
  stage.listed.set(FX_URL, failure({ kind: 'scope_required', scopes: ['files:read', TOKEN], method: 'tools/list' }));
  const listings = await listServers(stage.world, KEY, stage.until);
  expect(listings).toMatchObject([{ status: 'failed', message: expect.stringContaining(': files:read.') }]);
  expect(JSON.stringify([listings, stage.offers])).not.toContain(TOKEN);
});

it.each([TOKEN, `${'x'.repeat(1990)}${TOKEN}`, JSON.stringify({ got: `Bearer ${TOKEN}` }), encodeURIComponent(TOKEN)])(
  'the words of an error that contain the token are redacted: %#',
  async (said) => {
    const stage = await answeredWith(failure({ kind: 'bad_request', said }));
    expect(stage.results()).toMatchObject([{ is_error: true }]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'failed', secret_echo: true }]);
    expect(kept(stage)).not.toContain(BEGINNING);
  },
);

it('a state that contains the token is not stored, so that the call cannot be suspended', async () => {
  const stage = await answeredWith(asking({ state: `for ${TOKEN}` }));
  expect(stage.results()).toMatchObject([{ is_error: true }]);
  expect(stage.outcomes()).toMatchObject([{ outcome: 'failed', error: 'input_refused', secret_echo: true }]);
  expect(kept(stage)).not.toContain(TOKEN);
});

it('a message that is cut in the middle of the token ends without a part of it', async () => {
  const stage = await answeredWith(asking({ message: `${'x'.repeat(490)}${TOKEN} pays` }));
  expect(stage.errors()).toMatchObject([{ error: { message: expect.stringContaining('x[redacted') } }]);
  expect(kept(stage)).not.toContain(BEGINNING);
});

it.each([`https://${TOKEN}.example.com/`, `https://pay.example.com/${TOKEN.slice(0, 9)}\t${TOKEN.slice(9)}`])(
  'a URL that hides the token is found, and the client is sent to no host with it in the name: %s',
  async (url) => {
    const stage = await answeredWith(asking({ url }));
    expect(stage.outcomes()).toMatchObject([{ secret_echo: true }]);
    expect(kept(stage)).not.toContain(TOKEN);
  },
);
