import { describe, expect, it } from 'vitest';
import { CredentialCreate } from '#contract/credential-requests.ts';

describe('a secret in a request', () => {
  const created = (token: string) => {
    const auth = { type: 'static_bearer', mcp_server_url: 'https://mcp.example/mcp', token };
    return CredentialCreate.safeParse({ auth });
  };

  it('may be as long as Secrets Manager stores it with quotes and name', () => {
    expect(created('x'.repeat(32_768)).success).toBe(true);
    expect(created('é'.repeat(32_000)).success).toBe(true);
    for (const token of ['"'.repeat(32_700), '\u20ac'.repeat(22_000)]) {
      expect(created(token).error?.issues).toMatchObject([{ message: 'must have at most 65000 bytes as JSON' }]);
    }
  });

  it('must not have control characters, and its refusal does not quote it', () => {
    const { error } = created('canary\r\nX-Injected: 1');
    expect(error?.issues).toMatchObject([{ message: 'must not have control characters' }]);
    expect(JSON.stringify(error?.issues)).not.toContain('canary');
  });
});
