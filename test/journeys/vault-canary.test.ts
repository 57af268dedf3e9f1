/** What is taken as a secret is in the store of secrets, and in no other file that the whole service leaves behind. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { echo } from '#test/journeys/scripts.ts';
import { startService } from '#test/journeys/service.ts';

const canary = (name: string) => `canary-${name}-${crypto.randomUUID()}`;
const SERVER = 'https://mcp.example.com/mcp';

it('scenario 1: over the whole service, secrets of vaults are in their store and nowhere else', async () => {
  const service = await startService({ script: echo });
  onTestFinished(() => service.close());
  const { vaults } = service.client.beta;
  const secrets = ['access', 'refresh', 'client', 'bearer', 'value', 'access-2', 'refused'].map(canary);
  const [access = '', refresh = '', client = '', bearer = '', value = '', second = '', refused = ''] = secrets;
  const vault = await vaults.create({ display_name: 'keys' });
  const endpoint = { client_id: 'client', token_endpoint: 'https://auth.example.com/token' };
  const token_endpoint_auth = { type: 'client_secret_post' as const, client_secret: client };
  const oauth = await vaults.credentials.create(vault.id, {
    auth: {
      type: 'mcp_oauth',
      mcp_server_url: SERVER,
      access_token: access,
      refresh: { ...endpoint, refresh_token: refresh, token_endpoint_auth },
    },
  });
  const other = { type: 'static_bearer' as const, mcp_server_url: `${SERVER}/two` };
  const token = await vaults.credentials.create(vault.id, { auth: { ...other, token: bearer } });
  await expect(vaults.credentials.create(vault.id, { auth: { ...other, token: refused } })).rejects.toMatchObject({
    status: 409,
  });
  const networking = { type: 'unrestricted' as const };
  const variable = { type: 'environment_variable' as const, secret_name: 'A', secret_value: value, networking };
  const kept = await vaults.credentials.create(vault.id, { auth: variable });
  await vaults.credentials.update(oauth.id, { vault_id: vault.id, auth: { type: 'mcp_oauth', access_token: second } });
  await vaults.credentials.mcpOAuthValidate(oauth.id, { vault_id: vault.id });
  await vaults.credentials.archive(kept.id, { vault_id: vault.id });
  const session = await service.session();
  await service.converse(session, 'hi');

  const files = readdirSync(service.data, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const found = files.map((file) => relative(service.data, file));
  expect(found).toEqual(expect.arrayContaining([expect.stringMatching(/^dynamodb/), 'logs/api.log']));
  const holding = (secret: string) =>
    files.filter((file) => readFileSync(file).includes(secret)).map((file) => relative(service.data, file));
  const storeOf = (credential: string) => [expect.stringMatching(new RegExp(`^secrets/.*${credential}\\.json$`))];
  for (const secret of [access, refresh, client, second]) expect(holding(secret)).toEqual(storeOf(oauth.id));
  expect(holding(bearer)).toEqual(storeOf(token.id));
  // Archived, and never taken.
  for (const secret of [value, refused]) expect(holding(secret)).toEqual([]);
});
