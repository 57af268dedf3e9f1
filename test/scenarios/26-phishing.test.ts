import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VaultId } from '#contract/ids.ts';
import { createStamp } from '#aws/stamp.ts';
import { archiveCredential } from '#core/vault/retire.ts';
import { createBrowser } from '#test/functions/connect/browser.ts';
import { BASE_URL, startFlow, WORKSPACE, type Flow } from '#test/functions/connect/flow.ts';
import { aCredential } from '#test/ports/vaults.fixture.ts';
import { createConnectApp } from '../../functions/connect/app.ts';

describe('scenario 26: phishing', () => {
  let flow: Flow;
  beforeAll(async () => {
    flow = await startFlow();
  });
  afterAll(() => flow.close());

  it('a link that was made for another user is refused before a consent is asked for', async () => {
    const link = await flow.link('alice');
    const bob = flow.browser();
    const page = await bob.openAs('bob', link.url);
    expect(page.status).toBe(403);
    expect(page.text).toContain('user_mismatch');
    expect(page.text).not.toContain('alice');
    expect(flow.as.requests).toEqual([]);
    expect(flow.fx.requests).toEqual([]);
    expect(await flow.credentials(link.vault)).toEqual([]);
    expect(flow.audited).toMatchObject([
      { action: 'connect.refused', connect: link.id, user: 'bob', outcome: 'denied', reason: 'user_mismatch' },
    ]);
  });

  it('Bob can neither approve nor cancel with a form of Alice’s page', async () => {
    const link = await flow.link('alice');
    const [alice, bob] = [flow.browser(), flow.browser()];
    const page = await alice.openAs('alice', link.url);
    await bob.openAs('bob', link.url);
    for (const action of ['approve', 'cancel']) {
      expect((await bob.submit(page, {}, `${link.url}/${action}`)).status).toBe(403);
    }
    expect(await flow.world.connections.find(link.id)).toMatchObject({ status: 'pending', attempt: null });
  });

  it('Alice’s approval is not valid when Bob logs in next in the same browser', async () => {
    const link = await flow.link('alice');
    const browser = flow.browser();
    const leaving = await browser.submit(await browser.openAs('alice', link.url));
    const answer = await browser.request(browser.next(leaving) ?? '');
    const bobs = flow.browser();
    await bobs.openAs('bob', link.url);
    expect((await bobs.open(browser.next(answer) ?? '')).status).toBe(400);
    expect(flow.as.tokenRequests).toEqual([]);
  });

  it('a cookie that the service did not seal, or that is too old, is refused', async () => {
    const link = await flow.link('alice');
    const browser = flow.browser();
    await browser.openAs('alice', link.url);
    const [name = '', cookie = ''] = [...browser.jarOf(link.url)].find(([one]) => one.includes('visit')) ?? [];
    const forged = flow.browser();
    forged.jarOf(link.url).set(name, cookie.replace('alice', 'bobby'));
    expect(forged.next(await forged.request(link.url))).toContain(flow.idp.login.issuer);
    flow.clock.now += 3_600_000;
    expect(browser.next(await browser.request(link.url))).toContain(flow.idp.login.issuer);
    flow.clock.now -= 3_600_000;
  });

  async function handToCarol(id: VaultId) {
    const revised = await flow.world.vaults.findRevised(WORKSPACE, id);
    if (revised === null) throw new Error('the vault is gone');
    const vault = { ...revised.vault, metadata: { external_user_id: 'carol' } };
    expect(await flow.world.vaults.replace(WORKSPACE, { ...revised, vault })).toBe('saved');
  }

  /** Alice consents, and `happens` runs while her tokens are being written. */
  async function consented(url: string, meanwhile: () => Promise<unknown>) {
    const { writer } = flow.secrets;
    const write: typeof writer.write = async (...secret) => {
      await meanwhile();
      return writer.write(...secret);
    };
    const app = createConnectApp({ ...flow.world, secrets: { ...writer, write } });
    const browser = createBrowser({ baseUrl: BASE_URL, fetch: (request) => app.fetch(request) });
    return browser.follow(await browser.submit(await browser.openAs('alice', url)));
  }

  it('no token of Alice is stored in a vault that becomes Carol’s at the same moment', async () => {
    const link = await flow.link('alice');
    const stopped = await consented(link.url, () => handToCarol(link.vault.id));
    expect(stopped.text).toContain('vault_closed');
    expect(await flow.credentials(link.vault)).toEqual([]);
    expect([...flow.secrets.values.keys()]).toEqual([]);
    expect(await flow.world.connections.find(link.id)).toMatchObject({ status: 'failed', error: 'vault_closed' });
  });

  it('no token of Alice replaces a credential that becomes Carol’s at the same moment', async () => {
    const link = await flow.link('alice');
    const { credentials } = flow.world;
    const key = link.server.url;
    const before = aCredential(link.vault.id);
    const carols = aCredential(link.vault.id);
    await credentials.create(before, key);
    const stopped = await consented(link.url, async () => {
      const place = { workspace: WORKSPACE, vault: link.vault.id, credential: before.credential.id };
      await archiveCredential({ ...flow.world, stamp: createStamp() }, place);
      await handToCarol(link.vault.id);
      expect(await credentials.create(carols, key, 'carol')).toEqual({ status: 'created' });
    });
    expect(stopped.text).toContain('vault_closed');
    const [match] = await credentials.match(WORKSPACE, [link.vault.id], key);
    expect(match?.stored).toMatchObject({ version: 1, secrets: carols.secrets });
  });

  it('a connection ends when the vault is no longer Alice’s', async () => {
    const link = await flow.link('alice');
    const browser = flow.browser();
    const page = await browser.openAs('alice', link.url);
    await handToCarol(link.vault.id);
    const stopped = await browser.submit(page);
    expect(stopped.text).toContain('vault_closed');
    expect(await flow.world.connections.find(link.id)).toMatchObject({ attempt: null, error: 'vault_closed' });
  });
});
