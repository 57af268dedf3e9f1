/** An MCP server that the user's organisation manages, through the whole service as it is deployed. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { auditOf, told, verifyAudit } from '#test/faults/audit.ts';
import { follow } from '#test/journeys/follower.ts';
import { calling } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import { spendLimits } from '#test/journeys/spent-limits.ts';
import { linksIn, startConsentService, type ConsentService } from '#test/mcp/consent-service.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { mcp } from '#test/mcp/mcp-service.ts';

/** More calls than any other user of this file makes, and fewer than scenario 40 makes. */
const PER_MINUTE = 12;

let service: ConsentService;
beforeAll(async () => {
  service = await startConsentService({
    isManaged: true,
    props: { mcp: { allow: ALLOW_HERE, callsPerMinute: PER_MINUTE } },
  });
  service.closed = true;
});
afterAll(async () => service.close());

/** Uses only the SDK: the application has signed its user in and stores the identity in a vault. */
async function vaultOfSignedIn(user: string) {
  const vault = await service.vaultOf(user);
  const { issuer } = service.idp.login;
  const auth = { type: 'mcp_oauth' as const, mcp_server_url: issuer, access_token: service.idp.idToken(user) };
  await service.client.beta.vaults.credentials.create(vault, { auth });
  return { vault, idToken: auth.access_token };
}

describe('a server that the organisation of its users manages', () => {
  async function asked(vault: string) {
    service.standIn.script(calling(mcp('sum', { a: 1, b: 2 })));
    const session = await service.mcpSession({ vaults: [vault] });
    const follower = await follow(service, session);
    await service.send(session, 'Add one and two.');
    return { session, follower };
  }

  it('is used by a user who has signed in, without a link, a page or a consent', async () => {
    const { vault, idToken } = await vaultOfSignedIn('alice');
    const { follower, session } = await asked(vault);
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
    follower.leave();
    const seen = follower.since();
    expect(ofType(seen, 'session.error')).toEqual([]);
    expect(ofType(seen, 'agent.message').map(textOf).at(-1)).toBe('Results: 3');
    const [call] = service.admitted('sum');
    const bearer = call?.headers['authorization']?.replace(/^Bearer /, '') ?? '';
    expect(service.as.grants.accepts(bearer)).toMatchObject({ subject: 'alice', resource: service.fx.url });
    const exported = await service.extension('GET', `/v1/x/audit?session_id=${session}`);
    const traces = [JSON.stringify(exported.body), service.executed(), ...(await service.rows()).values()];
    for (const secret of [idToken, bearer]) {
      for (const trace of [...traces, ...service.written().values(), JSON.stringify(service.standIn.requests)]) {
        expect(trace).not.toContain(secret);
      }
    }
  });

  it('is used by a user who signs in at the link of the failed listing', async () => {
    const { follower, session } = await asked(await service.vaultOf('bob'));
    await follower.idle();
    const [link = ''] = linksIn(follower.since());
    expect(link).toContain(`${service.runtime.baseUrl}/connect/conn_`);
    const consents = service.as.requests.length;
    expect((await service.consent('bob', link)).text).toContain('is connected');
    expect(service.as.requests.slice(consents).filter(({ path }) => path.endsWith('/authorize'))).toEqual([]);

    service.standIn.script(calling(mcp('sum', { a: 1, b: 2 })));
    await service.send(session, 'Again, please.');
    await follower.idle();
    follower.leave();
    const [result] = ofType(follower.since(), 'agent.mcp_tool_result').slice(-1);
    expect(result).toMatchObject({ is_error: false, content: [{ type: 'text', text: '3' }] });
  });

  it('is closed to a user that the identity provider refuses, and the client reads why', async () => {
    service.idp.refuses('access_denied');
    const before = service.fx.requests.length;
    const { vault } = await vaultOfSignedIn('carol');
    const { follower } = await asked(vault);
    await follower.idle();
    follower.leave();
    service.idp.refuses(null);
    expect(ofType(follower.since(), 'session.error').map(({ error }) => error.message)).toEqual([
      'The organisation of this session\'s user does not give access to the MCP server "fx".',
    ]);
    expect(service.fx.requests.length).toBe(before);
  });
});

describe('scenario 40: more calls at once than a user may make in a minute', () => {
  it('are made up to the limit, and the others get the time to wait', async () => {
    const { fx } = service;
    const { vault } = await vaultOfSignedIn('dave');
    const session = await service.mcpSession({ vaults: [vault] });
    const before = fx.calls('sum').length;
    const calls = Array.from({ length: PER_MINUTE + 6 }, (_, a) => mcp('sum', { a, b: 0 }));
    service.standIn.script(calling(...calls));
    const { intercept } = fx;
    // After eight of them the others find nothing left, however slowly they are made.
    fx.intercept = async (request) => {
      if (fx.calls('sum').length >= before + 8) await spendLimits(service);
      return intercept(request);
    };
    onTestFinished(() => void (fx.intercept = intercept));
    const seen = await service.converse(session, 'Add a lot.');
    const results = ofType(seen, 'agent.mcp_tool_result').map(textOf);
    expect(results).toHaveLength(calls.length);
    const limited = results.filter((text) => /^rate_limited: .*\(retry_after_ms: \d+\)$/.test(text));
    expect(limited.length).toBeGreaterThan(2);
    expect(fx.calls('sum')).toHaveLength(before + calls.length - limited.length);
    const audited = told(await auditOf(service, session));
    expect(audited.filter((what) => what === 'intent')).toHaveLength(calls.length);
    expect(audited.filter((what) => what !== 'intent')).toHaveLength(calls.length);
  });
});

it('every chain of the audit trail of these calls is intact', async () => {
  await verifyAudit(service);
});
