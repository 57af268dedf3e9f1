/** Calls of the operations on vaults and credentials, as in `core-rows.ts`. */
import { expect } from 'vitest';
import { HEADERS } from './core-parameters.ts';
import { archived, page, row, type Given, type Row } from './core-rows.ts';
import {
  BEARER,
  CREDENTIAL,
  CREDENTIAL_UPDATE,
  VARIABLE,
  VARIABLE_UPDATE,
  VAULT,
  VAULT_UPDATE,
  VAULTS,
} from './vault-parameters.ts';

const vault = async ({ client }: Given) => (await client.vaults.create({ display_name: 'keys' })).id;

async function credential(given: Given, params: Parameters<Given['client']['vaults']['credentials']['create']>[1]) {
  const vault_id = await vault(given);
  const { id } = await given.client.vaults.credentials.create(vault_id, params);
  return [id, { vault_id }] as const;
}

const FAR = '2100-01-01T00:00:00.000Z';

export const VAULT_ROWS: readonly Row[] = [
  row('POST /v1/vaults', ({ client }) => client.vaults.create({ display_name: 'keys' }), {
    type: 'vault',
    display_name: 'keys',
    metadata: {},
    archived_at: null,
  }),
  row('POST /v1/vaults, everything', ({ client }) => client.vaults.create({ ...VAULT, ...HEADERS }), VAULT),
  row('GET /v1/vaults/{vault_id}', async (given) => given.client.vaults.retrieve(await vault(given), HEADERS), {
    display_name: 'keys',
  }),
  row('POST /v1/vaults/{vault_id}', async (given) => given.client.vaults.update(await vault(given), {}), {
    display_name: 'keys',
  }),
  row(
    'POST /v1/vaults/{vault_id}, everything',
    async (given) => given.client.vaults.update(await vault(given), { ...VAULT_UPDATE, ...HEADERS }),
    { display_name: 'more keys', metadata: { floor: '7' } },
  ),
  row('GET /v1/vaults', ({ client }) => client.vaults.list(), page),
  row(
    'GET /v1/vaults, everything',
    async (given) => {
      await vault(given);
      await vault(given);
      const first = await given.client.vaults.list({ ...VAULTS, ...HEADERS });
      return given.client.vaults.list({ ...VAULTS, page: first.next_page, ...HEADERS });
    },
    { data: [{ display_name: 'keys' }] },
  ),
  row('DELETE /v1/vaults/{vault_id}', async (given) => given.client.vaults.delete(await vault(given), HEADERS), {
    id: expect.stringMatching(/^vlt_/),
    type: 'vault_deleted',
  }),
  row(
    'POST /v1/vaults/{vault_id}/archive',
    async (given) => given.client.vaults.archive(await vault(given), HEADERS),
    archived,
  ),

  row(
    'POST /v1/vaults/{vault_id}/credentials',
    async (given) => given.client.vaults.credentials.create(await vault(given), { auth: BEARER }),
    { auth: { type: 'static_bearer', mcp_server_url: BEARER.mcp_server_url }, display_name: null, archived_at: null },
  ),
  row(
    'POST /v1/vaults/{vault_id}/credentials, everything',
    async (given) => given.client.vaults.credentials.create(await vault(given), { ...CREDENTIAL, ...HEADERS }),
    {
      display_name: 'A key',
      metadata: { team: 'a' },
      auth: {
        type: 'mcp_oauth',
        expires_at: FAR,
        refresh: { client_id: 'client', token_endpoint_auth: { type: 'client_secret_post' }, scope: 'read' },
      },
    },
  ),
  row(
    'POST /v1/vaults/{vault_id}/credentials, environment_variable',
    async (given) => given.client.vaults.credentials.create(await vault(given), { auth: VARIABLE }),
    {
      auth: {
        secret_name: 'API_KEY',
        networking: VARIABLE.networking,
        injection_location: { header: true, body: false },
      },
    },
  ),
  row(
    'GET /v1/vaults/{vault_id}/credentials/{credential_id}',
    async (given) => {
      const [id, path] = await credential(given, CREDENTIAL);
      return given.client.vaults.credentials.retrieve(id, { ...path, ...HEADERS });
    },
    { type: 'vault_credential', display_name: 'A key' },
  ),
  row(
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}',
    async (given) => given.client.vaults.credentials.update(...(await credential(given, CREDENTIAL))),
    { display_name: 'A key' },
  ),
  row(
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}, everything',
    async (given) => {
      const [id, path] = await credential(given, CREDENTIAL);
      return given.client.vaults.credentials.update(id, { ...path, ...CREDENTIAL_UPDATE, ...HEADERS });
    },
    {
      display_name: 'Another key',
      metadata: { floor: '7' },
      auth: { expires_at: FAR, refresh: { token_endpoint_auth: { type: 'client_secret_post' }, scope: null } },
    },
  ),
  row(
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}, environment_variable',
    async (given) => {
      const [id, path] = await credential(given, { auth: VARIABLE });
      return given.client.vaults.credentials.update(id, { ...path, auth: VARIABLE_UPDATE });
    },
    { auth: { networking: { type: 'unrestricted' }, injection_location: { header: false, body: true } } },
  ),
  row(
    'GET /v1/vaults/{vault_id}/credentials',
    async (given) => given.client.vaults.credentials.list(await vault(given)),
    { data: [], next_page: null },
  ),
  row(
    'GET /v1/vaults/{vault_id}/credentials, everything',
    async (given) => {
      const id = await vault(given);
      await given.client.vaults.credentials.create(id, { auth: BEARER });
      await given.client.vaults.credentials.create(id, { auth: VARIABLE });
      const first = await given.client.vaults.credentials.list(id, { ...VAULTS, ...HEADERS });
      return given.client.vaults.credentials.list(id, { ...VAULTS, page: first.next_page, ...HEADERS });
    },
    { data: [{ auth: { type: 'static_bearer' } }], next_page: null },
  ),
  row(
    'DELETE /v1/vaults/{vault_id}/credentials/{credential_id}',
    async (given) => {
      const [id, path] = await credential(given, CREDENTIAL);
      return given.client.vaults.credentials.delete(id, { ...path, ...HEADERS });
    },
    { id: expect.stringMatching(/^vcrd_/), type: 'vault_credential_deleted' },
  ),
  row(
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}/archive',
    async (given) => {
      const [id, path] = await credential(given, CREDENTIAL);
      return given.client.vaults.credentials.archive(id, { ...path, ...HEADERS });
    },
    archived,
  ),
  row(
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate',
    async (given) => {
      const [id, path] = await credential(given, CREDENTIAL);
      return given.client.vaults.credentials.mcpOAuthValidate(id, { ...path, ...HEADERS });
    },
    // No server listens at this credential's URL.
    { has_refresh_token: true, status: 'unknown', mcp_probe: { http_response: null }, refresh: null },
  ),
];
