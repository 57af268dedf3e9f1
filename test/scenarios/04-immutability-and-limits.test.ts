import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApi, type TestApi } from '#test/functions/api/api.ts';

const SERVER = 'https://mcp.example.com/mcp';
const BEARER = { type: 'static_bearer', mcp_server_url: SERVER, token: 'token' };
const OAUTH = { type: 'mcp_oauth', mcp_server_url: `${SERVER}/oauth`, access_token: 'access' };
const VARIABLE = {
  type: 'environment_variable',
  secret_name: 'TOKEN',
  secret_value: 'value',
  networking: { type: 'unrestricted' },
};
const NOWHERE = { header: false, body: false };

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

async function credentialsOf(): Promise<string> {
  const { body } = await api.ask('POST', '/v1/vaults', { display_name: 'keys' });
  return `/v1/vaults/${body.id}/credentials`;
}

it.each([
  [BEARER, { type: 'mcp_oauth', access_token: 'a' }],
  [BEARER, { type: 'environment_variable', secret_value: 'v' }],
  [BEARER, { type: 'static_bearer', mcp_server_url: 'https://other.example.com' }],
  [OAUTH, { type: 'mcp_oauth', expires_at: '2020-01-01T00:00:00Z' }],
  [OAUTH, { type: 'mcp_oauth', refresh: { token_endpoint: 'https://other.example.com/token' } }],
  [VARIABLE, { type: 'environment_variable', secret_name: 'OTHER' }],
  [VARIABLE, { type: 'environment_variable', injection_location: NOWHERE }],
])('scenario 4: an update of %j to %j is refused, and the row is unchanged', async (auth, update) => {
  const path = await credentialsOf();
  const { body: before } = await api.ask('POST', path, { auth });
  const refused = await api.ask('POST', `${path}/${before.id}`, { auth: update, display_name: 'changed' });
  expect(refused).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error' } } });
  expect((await api.ask('GET', `${path}/${before.id}`)).body).toEqual(before);
  expect(api.secrets.versions(before.id)).toBe(1);
});

it.each([
  [{ ...OAUTH, expires_at: '2020-01-01T00:00:00Z' }],
  [{ ...VARIABLE, injection_location: NOWHERE }],
  [{ ...VARIABLE, injection_location: {} }],
])('scenario 4: a creation with %j is refused', async (auth) => {
  const path = await credentialsOf();
  const before = api.secrets.held().length;
  const refused = await api.ask('POST', path, { auth });
  expect(refused).toMatchObject({ status: 400, body: { error: { type: 'invalid_request_error' } } });
  expect((await api.ask('GET', path)).body.data).toEqual([]);
  expect(api.secrets.held()).toHaveLength(before);
});

it('scenario 4: a vault holds 20 active credentials, and takes another one after one is archived', async () => {
  const path = await credentialsOf();
  const create = (index: number) =>
    api.ask('POST', path, { auth: { ...BEARER, mcp_server_url: `${SERVER}/${index}` } });
  for (let index = 0; index < 20; index += 1) expect((await create(index)).status).toBe(200);
  const held = api.secrets.held().length;
  expect(await create(20)).toMatchObject({
    status: 400,
    body: {
      error: {
        type: 'invalid_request_error',
        message: 'vault_id: has 20 active credentials, and takes no more',
      },
    },
  });
  expect(api.secrets.held()).toHaveLength(held);
  const [newest] = (await api.ask('GET', path)).body.data;
  await api.ask('POST', `${path}/${newest.id}/archive`);
  expect((await create(20)).status).toBe(200);
});
