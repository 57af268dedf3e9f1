import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type Service } from '#test/journeys/service.ts';

const VERIFIER = join(import.meta.dirname, '../../infra/cli/audit-verify/main.ts');

describe('policies in the deployed bundles with the deployed roles', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.close());

  async function save(policies: string) {
    const { baseUrl, apiKey } = service.runtime;
    const response = await fetch(`${baseUrl}/v1/x/policy`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}` },
      body: JSON.stringify({ policies, mode: 'enforce' }),
    });
    return { status: response.status, body: (await response.json()) as unknown };
  }

  it('are checked, saved, and recorded in chains that the verifier accepts', async () => {
    expect(await save('permit(principal, action')).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringContaining('policies: line 1, column 25') } },
    });
    const text = 'forbid(principal, action, resource) unless { context.call.thread_primary };';
    expect(await save(text)).toMatchObject({ status: 200, body: { version: 1, policies: text, unchecked: [] } });
    const { baseUrl, apiKey } = service.runtime;
    const verifier = spawn(process.execPath, [VERIFIER, baseUrl], {
      env: { ...process.env, BRAINSTEM_API_KEY: apiKey },
    });
    let output = '';
    for (const stream of [verifier.stdout, verifier.stderr]) stream.on('data', (told) => (output += String(told)));
    expect([await once(verifier, 'close'), output]).toEqual([
      [0, null],
      expect.stringContaining('Intact: 1 record in 1 chain.'),
    ]);
  });
});
