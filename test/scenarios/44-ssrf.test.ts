import {
  discoverAuthorizationServerMetadata,
  discoverOAuthProtectedResourceMetadata,
  refreshAuthorization,
} from '@modelcontextprotocol/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { OutboundError } from '#core/ports/outbound.ts';
import { bearer, callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { startFx } from '#test/mcp/fx.ts';
import { HOSTILE_URLS, rebinding, socketsDuring } from '#test/mcp/hostile-urls.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

const PUBLIC = ['93.184.216.34'];
const LIMITS = { maxBytes: 100_000, totalMs: 2000, idleMs: 2000, maxRedirects: 3 };

const failureOf = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  return error instanceof OutboundError ? error.failure : error;
};

describe('scenario 44: for hostile URLs,', () => {
  it('there are twenty-four samples', () => {
    expect(HOSTILE_URLS).toHaveLength(24);
  });

  it.each(HOSTILE_URLS)('%s is refused before a socket opens, at every place of use', async (_what, url) => {
    const { resolve, questions } = rebinding(PUBLIC);
    const outbound = { allow: [], resolve };
    const client = clientForTests({ outbound });
    const fetchFn = createGuardedFetch(outbound, LIMITS);
    const metadata = {
      issuer: 'https://as.example.com',
      authorization_endpoint: 'https://as.example.com/authorize',
      token_endpoint: url,
      response_types_supported: ['code'],
    };
    const refresh = { metadata, clientInformation: { client_id: 'c' }, refreshToken: 'r', fetchFn };
    const target = targetOf(url, { bearer: bearer('t0ken') });

    const sockets = await socketsDuring(async () => {
      expect(await client.listTools(target, ON)).toMatchObject({ kind: 'blocked', sent: false, http: null });
      expect(await client.callTool(target, callOf('sum'), ON)).toMatchObject({ kind: 'blocked', sent: false });
      const discovery = discoverOAuthProtectedResourceMetadata(
        'https://mcp.example.com/mcp',
        { resourceMetadataUrl: url },
        fetchFn,
      );
      expect(await failureOf(discovery)).toBe('blocked');
      expect(await failureOf(fetchFn(url, { method: 'POST', body: 'grant_type=refresh_token' }))).toBe('blocked');
      await expect(discoverAuthorizationServerMetadata(url, { fetchFn })).rejects.toBeInstanceOf(Error);
      await expect(refreshAuthorization('https://as.example.com', refresh)).rejects.toBeInstanceOf(Error);
    });

    expect(sockets).toBe(0);
    expect(questions).toEqual([]);
  });

  it.each(['10.0.0.7', '169.254.169.254', '::ffff:10.0.0.7', 'fd00::1'])(
    'a name that is public first and %s later is refused at the second request, without a connection',
    async (address) => {
      const fx = await startFx();
      onTestFinished(fx.close);
      const url = `http://mcp.example.com:${fx.port}/mcp`;
      // The customer allows the server with an address range; the address at the time of the request must be within it.
      const allow = [{ host: 'mcp.example.com', cidr: '127.0.0.1/32', http: true }];
      const { resolve, questions } = rebinding(['127.0.0.1'], [address]);
      const client = clientForTests({ outbound: { allow, resolve } });

      const called = await client.callTool(targetOf(url), callOf('sum', { a: 1, b: 2 }), ON);

      expect(called).toMatchObject({ kind: 'blocked', sent: false });
      expect(fx.calls()).toHaveLength(0);
      expect(questions.every((host) => host === 'mcp.example.com')).toBe(true);
    },
  );

  it('a private server is reached when it is allowed, and no other one', async () => {
    const fx = await startFx();
    onTestFinished(fx.close);
    const list = (allow: typeof ALLOW_HERE) => clientForTests({ outbound: { allow } }).listTools(targetOf(fx.url), ON);
    expect(await list(ALLOW_HERE)).toMatchObject({ status: 'listed' });
    const before = fx.connections();
    expect(await list([])).toMatchObject({ kind: 'blocked' });
    expect(await list([{ host: '127.0.0.1', cidr: '10.0.0.0/8', http: true }])).toMatchObject({ kind: 'blocked' });
    expect(fx.connections()).toBe(before);
  });
});
