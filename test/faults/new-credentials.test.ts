/** The API dies between a new credential's secret and its row. Sweep removes the secret. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sweepPendingCredentials } from '#test/faults/sweep.ts';
import { startService, type Service } from '#test/journeys/service.ts';

const MINUTE = 60_000;
const auth = { type: 'static_bearer', mcp_server_url: 'https://mcp.example.com/mcp', token: 'bearer-1' } as const;

describe('the API, when it is killed while it creates a credential,', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(async () => service.close());
  afterEach(() => service.runtime.faults.disarm());

  /** The number of secrets of a vault. */
  const secretsOf = (vault: string) =>
    readdirSync(join(service.data, 'secrets')).filter((file) => file.includes(vault)).length;

  it.each([
    ['after', 'secretsmanager:CreateSecret', 1, 0],
    ['after', 'secretsmanager:PutSecretValue', 1, 0],
    ['before', 'dynamodb:TransactWriteItems', 1, 0],
    ['after', 'dynamodb:TransactWriteItems', 1, 1],
  ] as const)('%s %s leaves %i secret, and %i after sweep', async (phase, of, left, kept) => {
    const { baseUrl: baseURL, apiKey, faults } = service.runtime;
    const { vaults } = new Anthropic({ baseURL, apiKey, maxRetries: 0 }).beta;
    const { id } = await vaults.create({ display_name: 'keys' });
    const killed = faults.killDuring({ function: 'api', of, call: 1, phase });
    await expect(vaults.credentials.create(id, { auth })).rejects.toMatchObject({ status: 500 });
    await killed;
    await sweepPendingCredentials(service, 0);
    expect(secretsOf(id)).toBe(left);
    await sweepPendingCredentials(service, 16 * MINUTE);
    expect(secretsOf(id)).toBe(kept);
    expect((await vaults.credentials.list(id)).data).toHaveLength(kept);
  });
});
