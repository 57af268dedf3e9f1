/**
 * A consent through the whole service: the deployed routes, functions, rights and secrets, and a certified provider.
 */
import { engineClient } from '#test/runtime/engine-client.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';
import { freePort } from '#test/free-port.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { browserOf } from '#test/functions/connect/http-browser.ts';
import { startIdentityProvider, type TestIdentityProvider } from '#test/functions/connect/identity-provider.ts';
import { appAssembly } from '#test/infra/synthesized.ts';
import { startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import { startFx, type Fx } from '#test/mcp/fx.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { startService, type Service } from './service.ts';

describe('connecting a user through the whole service', () => {
  let service: Service;
  let idp: TestIdentityProvider;
  let as: AuthorizationServer;
  let fx: Fx;
  beforeAll(async () => {
    const port = await freePort();
    idp = await startIdentityProvider(`http://127.0.0.1:${port}/connect/login/callback`, 'public');
    // A server that gives its clients a secret, so that one is registered, stored and read again.
    const says = (honest: object) => ({ ...honest, token_endpoint_auth_methods_supported: ['client_secret_basic'] });
    as = await startAuthorizationServer({ says });
    fx = await startFx({ tokens: {}, authorizationServers: [as.issuer], scopesSupported: ['files:read'] });
    const { issuer, clientId } = idp.login;
    const connect = { issuer, clientId, allow: ALLOW_HERE };
    const context = { connect: JSON.stringify(connect), 'mcp.allow': JSON.stringify(ALLOW_HERE) };
    service = await startService({ cdkOut: appAssembly(context), port });
  });
  afterAll(async () => {
    await service.close();
    await Promise.all([idp.close(), as.close(), fx.close()]);
  });

  const headers = () => ({ authorization: `Bearer ${service.runtime.apiKey}`, 'content-type': 'application/json' });

  async function ask(method: string, path: string, body?: object) {
    const init = { method, headers: headers(), ...(body !== undefined && { body: JSON.stringify(body) }) };
    const response = await fetch(`${service.runtime.baseUrl}${path}`, init);
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
  }

  function rows() {
    const { runtime } = service;
    const dynamodb = engineClient(runtime);
    const table = runtime.template.functions.flatMap(({ environment }) => environment['VAULT_TABLE'] ?? [])[0] ?? '';
    return { vaults: createVaultRecords(dynamodb, table), credentials: createCredentialRecords(dynamodb, table) };
  }

  it('leads from the API’s link over login and consent to a credential with secrets that the client cannot read', async () => {
    const workspace = WorkspaceId.parse((await ask('GET', '/v1/agents')).headers.get('anthropic-workspace-id'));
    const at = new Date().toISOString();
    const vault: Vault = {
      ...{ id: VaultId.parse(`vlt_${newToken()}`), type: 'vault', display_name: 'Alice' },
      ...{ metadata: { external_user_id: 'alice' }, created_at: at, updated_at: at, archived_at: null },
    };
    await rows().vaults.create(workspace, vault);
    const made = await ask('POST', '/v1/x/connect', { vault_id: vault.id, mcp_server_url: fx.url });
    expect(made.body).toMatchObject({ status: 'pending', user_id: 'alice' });
    expect(made.body.url).toBe(`${service.runtime.baseUrl}/connect/${made.body.id}`);

    const browser = browserOf(service.runtime);
    const consent = await browser.openAs('alice', made.body.url);
    expect(consent.text).toContain('An agent');
    const done = await browser.follow(await browser.submit(consent));
    expect(done.text).toContain('is connected');

    const told = await ask('GET', `/v1/x/connect/${made.body.id}`);
    expect(told.body).toMatchObject({ status: 'completed', error: null, completed_at: expect.any(String) });
    const [match] = await rows().credentials.match(workspace, [vault.id], fx.url);
    expect(match?.stored).toMatchObject({
      issuer: as.issuer,
      credential: { auth: { refresh: { token_endpoint_auth: { type: 'client_secret_basic' } } } },
      secrets: {
        access_token: expect.any(String),
        refresh_token: expect.any(String),
        client_secret: expect.any(String),
      },
    });
  });

  it('answers an unknown link with a 404 page, and a path that is no page with the API’s 404', async () => {
    const page = await fetch(`${service.runtime.baseUrl}/connect/conn_unknown`);
    expect(page.status).toBe(404);
    expect(page.headers.get('content-type')).toContain('text/html');
  });
});
