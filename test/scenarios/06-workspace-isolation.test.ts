import { afterAll, beforeAll, expect, it } from 'vitest';
import { AuditRecord } from '#contract/audit.ts';
import { OTHER_KEY, startApi, type TestApi } from '#test/functions/api/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const STRANGER = { authorization: `Bearer ${OTHER_KEY}` };

it('scenario 6: a vault does not exist for a key of another workspace, and the owner’s audit trail has the attempts', async () => {
  const { body: vault } = await api.ask('POST', '/v1/vaults', { display_name: 'keys' });
  const path = `/v1/vaults/${vault.id}`;
  const auth = { type: 'static_bearer', mcp_server_url: 'https://mcp.example.com/mcp', token: 'token' };
  const { body: credential } = await api.ask('POST', `${path}/credentials`, { auth });
  const own = `${path}/credentials/${credential.id}`;
  const agent = await api.ask('POST', '/v1/agents', { name: 'Eve', model: 'claude-opus-5' }, STRANGER);
  const environment = await api.ask('POST', '/v1/environments', { name: 'box' }, STRANGER);
  const session = { agent: agent.body.id, environment_id: environment.body.id, vault_ids: [vault.id] };

  const attempts = [
    ['vault.retrieve', 'GET', path, undefined],
    ['vault.update', 'POST', path, { display_name: 'mine' }],
    ['vault.archive', 'POST', `${path}/archive`, undefined],
    ['vault.delete', 'DELETE', path, undefined],
    ['credential.create', 'POST', `${path}/credentials`, { auth }],
    ['credential.list', 'GET', `${path}/credentials`, undefined],
    ['credential.retrieve', 'GET', own, undefined],
    ['credential.update', 'POST', own, { auth: { type: 'static_bearer', token: 'theirs' } }],
    ['credential.archive', 'POST', `${own}/archive`, undefined],
    ['credential.delete', 'DELETE', own, undefined],
    ['credential.mcp_oauth_validate', 'POST', `${own}/mcp_oauth_validate`, undefined],
    ['session.create', 'POST', '/v1/sessions', session],
  ] as const;
  for (const [, method, to, body] of attempts) {
    const answer = await api.ask(method, to, body, STRANGER);
    // The response equals the one for a vault that never existed.
    const changed = JSON.stringify(body)?.replaceAll(vault.id, 'vlt_01unknown');
    const missing = await api.ask(method, to.replace(vault.id, 'vlt_01unknown'), changed, STRANGER);
    expect(answer).toMatchObject({ status: 404, body: { error: missing.body.error } });
    expect(missing.status).toBe(404);
  }

  expect((await api.ask('GET', path)).body).toEqual(vault);
  expect((await api.ask('GET', own)).body).toEqual(credential);
  expect(api.secrets.held()).toEqual([credential.id]);

  const auditOf = async (headers?: Record<string, string>) => {
    const { body } = await api.ask('GET', '/v1/x/audit?kind=administration&limit=500', undefined, headers);
    return (body.data as readonly unknown[]).map((record) => AuditRecord.parse(record).entry);
  };
  const denied = (await auditOf()).filter((entry) => 'reason' in entry && entry.reason === 'cross_workspace_denied');
  expect(denied.map((entry) => ('action' in entry ? entry.action : ''))).toEqual(attempts.map(([action]) => action));
  expect(denied.every((entry) => 'vault' in entry && entry.vault === vault.id)).toBe(true);
  // The workspace that tries reads nothing of the attempts.
  expect(JSON.stringify(await auditOf(STRANGER))).not.toContain('cross_workspace_denied');
});
