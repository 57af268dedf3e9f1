/** Tokens that end while many calls need them, and a proxy that dies with the only valid one. */
import { engineClient } from '#test/runtime/engine-client.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { auditOf, told } from '#test/faults/audit.ts';
import { follow } from '#test/journeys/follower.ts';
import { calling } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import type { Script } from '#test/model/stand-in.ts';
import { linksIn, startConsentService, type ConsentService } from '#test/mcp/consent-service.ts';
import { mcp } from '#test/mcp/mcp-service.ts';
import { propertyRuns, sample } from '#test/property-runs.ts';

/** Each call needs an instance of the proxy. */
const CALLS = propertyRuns(20);

const STORES = [
  { oauthTokens: 'secrets-manager', firstWrite: 'secretsmanager:PutSecretValue' },
  { oauthTokens: 'dynamodb-kms', firstWrite: 'kms:GenerateDataKey' },
] as const;

describe.each(sample(1, STORES))('an OAuth token in $oauthTokens', ({ oauthTokens, firstWrite }) => {
  let service: ConsentService;
  beforeAll(async () => {
    service = await startConsentService({ props: { oauthTokens } });
    service.closed = true;
  });
  afterAll(async () => service.close());

  /** A vault of Alice's with a token of the rotating authorization server, which ends when the test calls `end`. */
  async function connected() {
    const vault = await service.vaultOf('alice');
    const { access_token, refresh_token } = service.as.consented();
    const { id } = await service.client.beta.vaults.credentials.create(vault, {
      auth: {
        type: 'mcp_oauth',
        mcp_server_url: service.fx.url,
        access_token,
        expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        refresh: {
          client_id: 'client-1',
          token_endpoint: service.as.tokenEndpoint,
          refresh_token,
          token_endpoint_auth: { type: 'none' },
        },
      },
    });
    const before = service.as.tokenRequests.length;
    return {
      ...{ vault, id, access_token, refresh_token },
      end: () => endToken(VaultId.parse(vault), CredentialId.parse(id)),
      tokenRequests: () => service.as.tokenRequests.length - before,
    };
  }

  /** Writes into the row that the token has ended, because the API takes no such instant. */
  async function endToken(vault: VaultId, id: CredentialId): Promise<void> {
    const { template, aws, baseUrl, apiKey } = service.runtime;
    const listed = await fetch(`${baseUrl}/v1/vaults`, { headers: { authorization: `Bearer ${apiKey}` } });
    const workspace = WorkspaceId.parse(listed.headers.get('anthropic-workspace-id'));
    const dynamodb = engineClient({ aws, template });
    const table = template.functions.flatMap(({ environment }) => environment['VAULT_TABLE'] ?? [])[0] ?? '';
    const records = createCredentialRecords(dynamodb, table);
    const stored = await records.find({ workspace, vault, credential: id });
    if (stored?.credential.auth.type !== 'mcp_oauth') throw new Error('the credential is not there');
    const auth = { ...stored.credential.auth, expires_at: new Date(Date.now() - 1000).toISOString() };
    const ended = { ...stored, version: stored.version + 1, credential: { ...stored.credential, auth } };
    expect(await records.replace(ended)).toBe('saved');
    dynamodb.destroy();
  }

  /** Makes the calls when the listing's token has ended. */
  function callingAfter(end: () => Promise<void>, count: number): Script {
    const sums = Array.from({ length: count }, (_, index) => mcp('sum', { a: index, b: 0 }));
    return async (request, index) => {
      if (request.messages.length === 1) await end();
      return calling(...sums)(request, index);
    };
  }

  /** The number of proxy instances that have called AWS. */
  function proxies(): number {
    const calls = service.runtime.faults.trace().filter((call) => call.function === 'mcp-proxy');
    return new Set(calls.map(({ worker }) => worker)).size;
  }

  async function severalProxies(): Promise<void> {
    while (proxies() < 2) await sleep(20);
  }

  it(`scenario 17: that ends before ${CALLS} concurrent calls is refreshed once, and all calls are made with the new one`, async () => {
    const { vault, end, access_token, refresh_token, tokenRequests } = await connected();
    const before = service.admitted('sum').length;
    service.standIn.script(callingAfter(end, CALLS));
    const session = await service.mcpSession({ vaults: [vault] });
    service.runtime.faults.disarm();
    // Holds the first request until a second instance needs the token too.
    service.as.answer({ do: 'grant', change: {}, after: severalProxies() });
    const seen = await service.converse(session, 'Add.');
    const sums = Array.from({ length: CALLS }, (_, index) => String(index));
    expect(ofType(seen, 'agent.mcp_tool_result').map(textOf).toSorted()).toEqual(sums.toSorted());
    expect(tokenRequests()).toBe(1);
    expect(proxies()).toBeGreaterThan(1);
    const sent = service
      .admitted('sum')
      .slice(before)
      .map(({ headers }) => headers['authorization']);
    expect(sent).toHaveLength(CALLS);
    expect(new Set(sent).size).toBe(1);
    expect(sent[0]).not.toBe(`Bearer ${access_token}`);
    expect(service.as.grants.isAlive(refresh_token)).toBe(true);
    expect(told(await auditOf(service, session)).filter((outcome) => outcome === 'done')).toHaveLength(CALLS);
  });

  it('that has ended when five sessions of one vault begin is refreshed once', async () => {
    const { vault, end, refresh_token, tokenRequests } = await connected();
    service.standIn.script(calling(mcp('sum', { a: 1, b: 2 })));
    const sessions = await Promise.all(Array.from({ length: 5 }, () => service.mcpSession({ vaults: [vault] })));
    await end();
    const seen = await Promise.all(sessions.map((session) => service.converse(session, 'Add.')));
    expect(seen.map((events) => ofType(events, 'agent.message').map(textOf).at(-1))).toEqual(
      sessions.map(() => 'Results: 3'),
    );
    expect(tokenRequests()).toBe(1);
    expect(service.as.grants.isAlive(refresh_token)).toBe(true);
  });

  it('is lost with a proxy that dies before it stores the new one: the user is asked again, without a loop of refreshes', async () => {
    const { vault, end, tokenRequests } = await connected();
    const before = service.admitted('sum').length;
    service.standIn.script(callingAfter(end, 1));
    const session = await service.mcpSession({ vaults: [vault] });
    const follower = await follow(service, session);
    const { faults } = service.runtime;
    const killed = faults.killDuring({ function: 'mcp-proxy', of: firstWrite, call: 1, phase: 'before' });
    await service.send(session, 'Add.');
    await killed;
    const [use] = [await follower.next('agent.mcp_tool_use')];
    expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [use.id] });
    const [link = ''] = linksIn(follower.since());
    expect(tokenRequests()).toBe(2);
    expect(service.admitted('sum')).toHaveLength(before);

    // A further call does not try to refresh the credential.
    const other = await service.mcpSession({ vaults: [vault] });
    expect(linksIn(await service.converse(other, 'Add.'))).toHaveLength(1);
    expect(tokenRequests()).toBe(2);

    await service.consent('alice', link);
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: 0']);
    expect(service.admitted('sum')).toHaveLength(before + 1);
    follower.leave();
  });

  it('is validated by a request to its server, and then to the authorization server when the server refuses it', async () => {
    const { vault, id, access_token, refresh_token, tokenRequests } = await connected();
    const validate = () => service.client.beta.vaults.credentials.mcpOAuthValidate(id, { vault_id: vault });
    expect(await validate()).toMatchObject({
      status: 'valid',
      credential_id: id,
      has_refresh_token: true,
      refresh: null,
    });
    service.as.grants.expire(access_token);
    expect(await validate()).toMatchObject({ status: 'valid', refresh: { status: 'succeeded' } });
    expect(tokenRequests()).toBe(1);
    service.as.grants.revoke(refresh_token);
    const told = await validate();
    expect(told).toMatchObject({ status: 'invalid', refresh: { status: 'failed' } });
    expect(told.refresh?.http_response?.status_code).toBe(400);
    expect(JSON.stringify(told)).not.toMatch(/access-|refresh-/);
  });
});
