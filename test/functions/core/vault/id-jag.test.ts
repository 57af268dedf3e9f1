import { describe, expect, it } from 'vitest';
import { idTokenExpiry, idTokenUser } from '#core/vault/id-token.ts';
import { readAdmission, readAssertion } from '#core/vault/id-jag.ts';
import { NOW } from '#test/functions/core/given.ts';

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';

const answered = (body: unknown, code = 200) => ({
  ...{ status: 'answered' as const, code, headers: {}, url: 'https://idp.example.com/token?secret' },
  body: new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)),
});

describe('an answer of the identity provider to a token exchange', () => {
  it('is an assertion whatever token_type it states', () => {
    const told = { access_token: 'a.b.c', issued_token_type: ID_JAG, token_type: 'N_A' };
    expect(readAssertion(answered(told))).toEqual({ status: 'asserted', assertion: 'a.b.c' });
  });

  it.each([undefined, null, 7, 'urn:ietf:params:oauth:token-type:access_token', `${ID_JAG} `])(
    'with the issued type %s is no assertion, because such a token could open more than one server',
    (issued) => {
      const read = readAssertion(answered({ access_token: 'a.b.c', issued_token_type: issued }));
      expect(read).toEqual({ status: 'failed', detail: 'idp.example.com issued a token that is no ID-JAG' });
    },
  );

  it.each([
    [{ error: 'access_denied', error_description: 'ring +1 555' }, 400, 'refused', 'access_denied'],
    [{ error: 'invalid_target' }, 403, 'refused', 'invalid_target'],
    [{ error: 'server_error' }, 500, 'failed', 'HTTP 500'],
    [{ error: 'access_denied' }, 429, 'failed', 'HTTP 429'],
    ['<html>sorry</html>', 200, 'failed', 'no access_token'],
    [{ access_token: 'line\nbreak', issued_token_type: ID_JAG }, 200, 'failed', 'no access_token'],
  ])('of %o with HTTP %i is %s', (body, code, status, detail) => {
    const read = readAssertion(answered(body, code));
    expect(read).toMatchObject({ status, detail: expect.stringContaining(detail) });
    expect(JSON.stringify(read)).not.toContain('555');
  });
});

describe('an answer of the authorization server to an assertion', () => {
  it('is a bearer token, with its end if the answer states it', () => {
    const told = { access_token: 'token', token_type: 'bearer' };
    expect(readAdmission(answered({ ...told, expires_in: 600 }), NOW)).toEqual({
      ...{ status: 'admitted', token: 'token', expiresAt: '2026-11-21T10:10:00.000Z' },
    });
    expect(readAdmission(answered(told), NOW)).toMatchObject({ expiresAt: null });
  });

  it('with a token of another type is refused', () => {
    expect(readAdmission(answered({ access_token: 'token', token_type: 'DPoP' }), NOW).status).toBe('failed');
  });
});

describe('the end of an ID token', () => {
  const jwt = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;

  it.each([
    [jwt({ exp: 1_795_255_200 }), '2026-11-21T10:00:00.000Z'],
    [jwt({ exp: 1_795_255_200.9 }), '2026-11-21T10:00:00.000Z'],
    [jwt({ exp: '1795255200' }), null],
    [jwt({ exp: -1 }), null],
    [jwt({ exp: 1e300 }), null],
    [jwt({}), null],
    [jwt(null), null],
    ['opaque', null],
    ['a.%%%.c', null],
    ['', null],
  ])('%s is at %s', (token, end) => {
    expect(idTokenExpiry(token)).toBe(end);
  });
});

describe('the user of an ID token', () => {
  const token = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;

  it.each([
    ['sub', token({ sub: 'alice' }), 'alice'],
    ['oid', token({ sub: 'alice', oid: '7' }), '7'],
    ['oid', token({ sub: 'alice' }), null],
    ['sub', token({ sub: 7 }), null],
    ['sub', token({ sub: '' }), null],
    ['email', token({ email: 'alice@example.com', email_verified: true }), 'alice@example.com'],
    ['email', token({ email: 'alice@example.com', email_verified: 'true' }), null],
    ['email', token({ email: 'alice@example.com' }), null],
    ['0', token(['alice']), null],
    ['sub', 'opaque', null],
  ])('according to %s, in %s, is %s', (claim, given, user) => {
    expect(idTokenUser(given, claim)).toBe(user);
  });
});
