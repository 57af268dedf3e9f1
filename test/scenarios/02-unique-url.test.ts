import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApi, type TestApi } from '#test/functions/api/api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

async function created() {
  const { body } = await api.ask('POST', '/v1/vaults', { display_name: 'keys' });
  return (mcp_server_url: string) =>
    api.ask('POST', `/v1/vaults/${body.id}/credentials`, {
      auth: { type: 'static_bearer', mcp_server_url, token: 'token' },
    });
}

it('scenario 2: another spelling of a server’s URL is the same server', async () => {
  const create = await created();
  expect(await create('https://mcp.example.com/mcp')).toMatchObject({ status: 200 });
  for (const spelling of [
    'HTTPS://MCP.EXAMPLE.COM:443/mcp',
    'https://mcp.example.com./mcp',
    'https://mcp.example.com/mcp/',
    'https://mcp.example.com/mcp#here',
    'https://mcp.example.com/a/../mcp',
  ]) {
    const again = await create(spelling);
    expect(again).toMatchObject({ status: 409, body: { error: { type: 'conflict_error' } } });
    // The SDK repeats a 409 unless the response forbids it, and a repeat would change nothing here.
    expect(again.headers.get('x-should-retry')).toBe('false');
  }
  for (const another of [
    'https://mcp.example.com/MCP',
    'https://mcp.example.com:8443/mcp',
    'https://mcp.example.com/mcp?team=a',
    'https://mcp.example.com/',
  ]) {
    expect(await create(another)).toMatchObject({ status: 200, body: { auth: { mcp_server_url: another } } });
  }
});

it('scenario 2: one of ten concurrent creations for one URL succeeds', async () => {
  const create = await created();
  const before = api.secrets.held().length;
  const answers = await Promise.all(Array.from({ length: 10 }, () => create('https://mcp.example.com/mcp')));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.toSorted((a, b) => a - b)).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
  const lost = answers.filter(({ status }) => status === 409);
  expect(lost.every(({ body }) => body.error.type === 'conflict_error')).toBe(true);
  // The refused creations have left no secret.
  expect(api.secrets.held()).toHaveLength(before + 1);
  expect(api.secrets.held()).toContain(answers[statuses.indexOf(200)]?.body.id);
});
