import { describe, expect, it } from 'vitest';
import { readRefresh } from '#core/vault/refresh-grant.ts';
import { NOW } from '#test/functions/core/given.ts';

const read = (told: Readonly<Record<string, unknown>>, code = 200) =>
  readRefresh(
    {
      status: 'answered',
      code,
      headers: {},
      body: new TextEncoder().encode(JSON.stringify({ access_token: 'new', token_type: 'bearer', ...told })),
      url: 'https://auth.example.com/token?tenant=secret',
    },
    { refreshToken: 'sent', takes: 'access_token' },
    NOW,
  );

describe('an answer of a token endpoint', () => {
  it.each([
    { told: 600, expiresAt: '2026-11-21T10:10:00.000Z' },
    { told: '600', expiresAt: '2026-11-21T10:10:00.000Z' },
    { told: 1e30, expiresAt: '2036-11-18T10:00:00.000Z' },
    { told: '9'.repeat(400), expiresAt: null },
    { told: 0, expiresAt: null },
    { told: -1, expiresAt: null },
    { told: 'soon', expiresAt: null },
    { told: null, expiresAt: null },
  ])('with the lifetime $told has the end $expiresAt', ({ told, expiresAt }) => {
    expect(read({ expires_in: told })).toMatchObject({ status: 'refreshed', expiresAt });
  });

  it.each([
    { told: 'next', refreshToken: 'next' },
    { told: 'sent', refreshToken: null },
    { told: '', refreshToken: null },
    { told: null, refreshToken: null },
    { told: 7, refreshToken: null },
  ])('with the refresh token $told yields the refresh token $refreshToken', ({ told, refreshToken }) => {
    expect(read({ refresh_token: told })).toMatchObject({ status: 'refreshed', refreshToken });
  });

  it('with scopes replaces the stored scopes, and without scopes keeps them', () => {
    expect(read({ scope: 'a  b' })).toMatchObject({ scopes: ['a', 'b'] });
    expect(read({})).toMatchObject({ scopes: null });
  });

  it.each([
    'invalid_request',
    'invalid_client',
    'unauthorized_client',
    'unsupported_grant_type',
    'invalid_scope',
    'invalid_target',
    'temporarily_unavailable',
    'slow_down',
  ])('with the error %s does not count as a revocation', (error) => {
    expect(read({ error }, 400)).toEqual({ status: 'failed', detail: `auth.example.com answered ${error}` });
  });

  it('is reported by host and code, and never with its own text', () => {
    const words = 'the token "sent" of alice@example.com';
    expect(read({ error: words, error_description: words }, 400)).toEqual({
      status: 'failed',
      detail: 'auth.example.com answered HTTP 400',
    });
    expect(read({ error: 'invalid_grant', error_description: words }, 400)).toEqual({
      status: 'revoked',
      detail: 'auth.example.com answered invalid_grant',
    });
  });
});
