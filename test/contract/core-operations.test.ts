/**
 * Every CORE operation of contract §8 through the official SDK, on the whole service. What comes back is held against its
 * strict schema on the way (`service.client`), and here against what was asked.
 */
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { echo } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';
import { givenBy, ROWS } from './core-rows.ts';

/** Vaults and credentials: each answers 404 and says so, until it is built and has rows above. */
const UNBUILT: readonly (readonly [string, (client: Anthropic) => PromiseLike<unknown>])[] = [
  ['POST /v1/vaults', ({ beta }) => beta.vaults.create({ display_name: 'keys' })],
  ['GET /v1/vaults/{vault_id}', ({ beta }) => beta.vaults.retrieve('vlt_1')],
  ['POST /v1/vaults/{vault_id}', ({ beta }) => beta.vaults.update('vlt_1', { display_name: 'keys' })],
  ['GET /v1/vaults', ({ beta }) => beta.vaults.list()],
  ['DELETE /v1/vaults/{vault_id}', ({ beta }) => beta.vaults.delete('vlt_1')],
  ['POST /v1/vaults/{vault_id}/archive', ({ beta }) => beta.vaults.archive('vlt_1')],
  [
    'POST /v1/vaults/{vault_id}/credentials',
    ({ beta }) =>
      beta.vaults.credentials.create('vlt_1', {
        auth: { type: 'static_bearer', mcp_server_url: 'https://example.com/mcp', token: 't' },
      }),
  ],
  [
    'GET /v1/vaults/{vault_id}/credentials/{credential_id}',
    ({ beta }) => beta.vaults.credentials.retrieve('vcrd_1', { vault_id: 'vlt_1' }),
  ],
  [
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}',
    ({ beta }) => beta.vaults.credentials.update('vcrd_1', { vault_id: 'vlt_1', display_name: 'key' }),
  ],
  ['GET /v1/vaults/{vault_id}/credentials', ({ beta }) => beta.vaults.credentials.list('vlt_1')],
  [
    'DELETE /v1/vaults/{vault_id}/credentials/{credential_id}',
    ({ beta }) => beta.vaults.credentials.delete('vcrd_1', { vault_id: 'vlt_1' }),
  ],
  [
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}/archive',
    ({ beta }) => beta.vaults.credentials.archive('vcrd_1', { vault_id: 'vlt_1' }),
  ],
  [
    'POST /v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate',
    ({ beta }) => beta.vaults.credentials.mcpOAuthValidate('vcrd_1', { vault_id: 'vlt_1' }),
  ],
];

/** Rows 1 to 21 of contract §8. */
const CORE = 21;

describe('a CORE operation', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService({ script: echo });
  });
  afterAll(async () => service.close());

  it.each(ROWS)('answers as the contract says: $name', async ({ call, shows }) => {
    expect(await call(givenBy(service))).toMatchObject(shows as object);
  });

  it.each(UNBUILT)('is not built, and says so: %s', async (operation, call) => {
    await expect(call(service.client)).rejects.toMatchObject({
      status: 404,
      type: 'not_found_error',
      apiMessage: `${operation} is not built yet in this service`,
    });
  });

  it('of the contract has its rows, each once', () => {
    const names = ROWS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(names.map((name) => name.split(', ')[0])).size).toBe(CORE);
    expect(UNBUILT).toHaveLength(13);
  });
});
