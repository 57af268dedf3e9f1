import { describe, expect, it } from 'vitest';
import { readRefresh } from '#core/vault/refresh-grant.ts';
import { NOW } from '#test/functions/core/given.ts';

const read = (told: Readonly<Record<string, unknown>>, code = 200) =>
  readText(JSON.stringify({ access_token: 'new', token_type: 'bearer', ...told }), { code });

const readText = (text: string, { code = 200, type = 'application/json' } = {}) =>
  readRefresh(
    {
      status: 'answered',
      code,
      headers: { 'content-type': type },
      body: new TextEncoder().encode(text),
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

  const OVER = [
    ...['invalid_grant', 'bad_refresh_token', 'invalid_refresh_token', 'token_expired', 'token_revoked'],
    ...['account_inactive', 'invalid_code', 'interaction_required', 'login_required', 'consent_required'],
  ];
  it.each(OVER.flatMap((error) => [200, 400, 401].map((code) => ({ error, code }))))(
    'with HTTP $code and the error $error says that the consent is over',
    ({ error, code }) => {
      const revoked = { status: 'revoked', detail: `auth.example.com answered ${error}` };
      expect(readText(JSON.stringify({ ok: false, error }), { code })).toEqual(revoked);
      const type = 'application/x-www-form-urlencoded; charset=utf-8';
      expect(readText(`error=${error}&error_description=x`, { code, type })).toEqual(revoked);
      // The server did not look at the token, or says of itself that it failed.
      for (const failing of [429, 500, 503]) {
        expect(readText(JSON.stringify({ ok: false, error }), { code: failing }).status).toBe('failed');
      }
    },
  );

  it.each([
    '{"ok":false,"error":"ratelimited"}',
    '{"ok":false,"error":"internal_error"}',
    '{"ok":false,"error":"fatal_error"}',
    '{"ok":false,"error":"service_unavailable"}',
    '{"ok":false,"error":"request_timeout"}',
    '{"error":"temporarily_unavailable"}',
    '{"error":"incorrect_client_credentials"}',
    '{"ok":false}',
    '{"error":null}',
    '{"error":{"code":"invalid_grant"}}',
    '{"error":"the token is dead"}',
    '{}',
    'null',
    '[]',
    '',
    'error=bad_refresh_token',
    '<html>invalid_grant</html>',
  ])('with HTTP 200 and %s does not count as a revocation', (text) => {
    expect(readText(text).status).toBe('failed');
  });

  it('is read from a form, and with null for what may be absent', () => {
    const type = 'application/x-www-form-urlencoded';
    expect(readText('access_token=a&expires_in=600&scope=x&token_type=bearer', { type })).toMatchObject({
      status: 'refreshed',
      accessToken: 'a',
      expiresAt: '2026-11-21T10:10:00.000Z',
      scopes: ['x'],
    });
    const nulls = { error: null, refresh_token: null, expires_in: null, scope: null, token_type: null, id_token: null };
    expect(read(nulls)).toMatchObject({ status: 'refreshed', refreshToken: null, expiresAt: null, scopes: null });
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
