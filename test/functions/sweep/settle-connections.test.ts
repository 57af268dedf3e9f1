import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CredentialId } from '#contract/ids.ts';
import { newToken } from '#aws/stamp.ts';
import { settleConnections } from '../../../functions/sweep/settle-connections.ts';
import { startFlow, waitingCall, WORKSPACE, type Flow } from '#test/functions/connect/flow.ts';

describe('sweep over connections', () => {
  let flow: Flow;
  beforeAll(async () => {
    flow = await startFlow();
  });
  afterAll(() => flow.close());

  const logger = { warn: () => undefined, error: () => undefined };

  /** A connection with a function that died before or after it stored the credential. */
  async function interrupted(name: string, isStored: boolean) {
    const link = await flow.link();
    const call = waitingCall(name);
    const offer = {
      ...{ workspace: WORKSPACE, vault: link.vault, scopes: [], resume: call },
      server: { url: flow.fx.url, name: 'files', resourceMetadata: null },
      agent: { id: 'agent_01' as never, name: 'Ada', version: 1 },
    };
    const offered = await flow.links.offer(offer);
    if (offered === null) throw new Error('no link was offered');
    const credential = CredentialId.parse(`vcrd_${newToken()}`);
    const since = flow.world.stamp.now();
    await flow.world.connections.storing(offered.id, { credential, version: 0, since });
    if (!isStored) return { id: offered.id, call };
    const auth = { type: 'mcp_oauth' as const, mcp_server_url: flow.fx.url, expires_at: null, refresh: null };
    const row = {
      ...{ id: credential, type: 'vault_credential' as const, vault_id: link.vault.id, display_name: null, auth },
      ...{ metadata: {}, created_at: since, updated_at: since, archived_at: null },
    };
    await flow.world.credentials.create(
      { workspace: WORKSPACE, credential: row, secrets: {}, grantedScopes: [], issuer: flow.as.issuer },
      flow.fx.url,
    );
    return { id: offered.id, call };
  }

  it('completes a connection with a stored credential and resumes its call once, and leaves others pending', async () => {
    const stored = await interrupted('stored', true);
    const lost = await interrupted('lost', false);
    const connecting = flow.world;
    flow.clock.now += 60_000;
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(flow.resumed).toEqual([stored.call]);
    expect(await flow.world.connections.find(stored.id)).toMatchObject({
      status: 'completed',
      storing: null,
      waiting: [],
    });
    expect(await flow.world.connections.find(lost.id)).toMatchObject({ status: 'pending', waiting: [lost.call] });
    flow.clock.now += 10 * 60_000;
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(await flow.world.connections.find(lost.id)).toMatchObject({ status: 'pending', storing: null });
  });

  it('ends the calls of a declined connection once, when the function died before it did', async () => {
    const { id, call } = await interrupted('refused', false);
    await flow.world.connections.storing(id, null);
    await flow.world.connections.fail(id, 'cancelled', flow.world.stamp.now());
    const connecting = flow.world;
    flow.clock.now += 60_000;
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(flow.declined).toEqual([[call, expect.stringMatching(/^The user declined/)]]);
    expect(await flow.world.connections.find(id)).toMatchObject({ status: 'failed', waiting: [], isSettled: true });
  });

  it('goes on with the next connection when a call cannot be resumed, and tries that one again later', async () => {
    const first = await interrupted('first', true);
    const second = await interrupted('second', true);
    flow.clock.now += 60_000;
    let broken = true;
    const resumed: (string | null)[] = [];
    const connecting = {
      ...flow.world,
      resume: async ({ call }: { readonly call: string | null }) => {
        if (broken && call === first.call.call) throw new Error('the log does not answer');
        resumed.push(call);
        return { run: 'started' } as const;
      },
    };
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(resumed).toEqual([second.call.call]);
    broken = false;
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(resumed).toEqual([second.call.call, first.call.call]);
  });

  it('tries again when the user approved before the call was suspended', async () => {
    const { id, call } = await interrupted('early', true);
    let run: 'early' | 'started' = 'early';
    const connecting = { ...flow.world, resume: async () => ({ run }) };
    flow.clock.now += 60_000;
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(await flow.world.connections.find(id)).toMatchObject({ status: 'completed', waiting: [call] });
    run = 'started';
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(await flow.world.connections.find(id)).toMatchObject({ status: 'completed', waiting: [] });
  });

  it('tries again when the user declined before the call was suspended', async () => {
    const { id, call } = await interrupted('earlyNo', false);
    await flow.world.connections.fail(id, 'access_denied', flow.world.stamp.now());
    let run: 'early' | 'started' = 'early';
    const connecting = { ...flow.world, decline: async () => ({ run }) };
    flow.clock.now += 60_000;
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(await flow.world.connections.find(id)).toMatchObject({ waiting: [call], isSettled: false });
    run = 'started';
    await settleConnections({ connecting, journal: { logger } }, flow.world.stamp.now());
    expect(await flow.world.connections.find(id)).toMatchObject({ waiting: [], isSettled: true });
  });
});
