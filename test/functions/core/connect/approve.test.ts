import { describe, expect, it } from 'vitest';
import { chooseScopes, foreignEndpoint } from '#core/connect/approve.ts';
import type { Discovered } from '#core/ports/authorization-server.ts';
import { mayReturn } from '#core/connect/request-connection.ts';

describe('the scopes of an authorization request', () => {
  const server = { neededScopes: ['read'], serverScopes: ['read', 'write'] };
  const nothing = { asked: [], granted: [] };

  it('are those of the caller, else those that the server needs, else left to the authorization server', () => {
    expect(chooseScopes(server, { asked: ['write'], granted: [] })).toEqual(['write']);
    expect(chooseScopes(server, nothing)).toEqual(['read']);
    expect(chooseScopes({ ...server, neededScopes: null }, nothing)).toEqual([]);
    expect(chooseScopes({ neededScopes: null, serverScopes: ['offline_access'] }, nothing)).toEqual([]);
  });

  it('include the scopes that were granted before, each once', () => {
    expect(chooseScopes(server, { asked: ['write', 'read'], granted: ['admin', 'read'] })).toEqual([
      ...['admin', 'read', 'write'],
    ]);
  });

  it('include offline_access only where the authorization server lists it', () => {
    expect(chooseScopes({ ...server, serverScopes: ['read', 'offline_access'] }, nothing)).toEqual([
      ...['read', 'offline_access'],
    ]);
    expect(chooseScopes({ neededScopes: ['offline_access'], serverScopes: ['offline_access'] }, nothing)).toEqual([
      'offline_access',
    ]);
  });
});

describe('an authorization server', () => {
  const ISSUER = 'https://auth.example.com/tenant';
  const named = (over: Partial<Discovered>): Discovered => ({
    ...{ status: 'discovered', issuer: ISSUER, resource: 'https://mcp.example.com/mcp' },
    authorizationEndpoint: 'https://auth.example.com/authorize',
    tokenEndpoint: 'https://auth.example.com/token',
    registrationEndpoint: null,
    ...{ namesItself: false, takesMetadataUrl: false, authMethods: [], neededScopes: null, serverScopes: [] },
    ...over,
  });
  const ENDPOINTS = ['authorizationEndpoint', 'tokenEndpoint', 'registrationEndpoint'] as const;

  it.each([
    'https://auth.example.com/elsewhere?x=1',
    'https://AUTH.example.com/a',
    'https://auth.example.com:443/a',
    'https://user@auth.example.com/a',
  ])('may name its own endpoint %s', (url) => {
    for (const endpoint of ENDPOINTS) expect(foreignEndpoint([], named({ [endpoint]: url }))).toBeNull();
  });

  it.each([
    'https://login.victim.example/authorize',
    'https://auth.example.com.evil.example/a',
    'https://evil.example/auth.example.com',
    'https://auth.example.com@evil.example/a',
    'https://auth.example.com:8443/a',
    'http://auth.example.com/a',
    'https://auth.example.com./a',
    'https://sub.auth.example.com/a',
    'https://example.com/a',
    'https://аuth.example.com/a',
    'https://xn--uth-6cd.example.com/a',
  ])('may not name the endpoint %s of another one, unless an administrator has named its issuer', (url) => {
    for (const endpoint of ENDPOINTS) {
      const discovered = named({ [endpoint]: url });
      expect(foreignEndpoint([], discovered)).toMatchObject({ status: 'trouble', error: 'foreign_endpoint' });
      const known = (issuer: string) => [{ issuer, clientId: 'c', secretArn: null }];
      expect(foreignEndpoint(known(ISSUER), discovered)).toBeNull();
      expect(foreignEndpoint(known(`${ISSUER}/`), discovered)).not.toBeNull();
    }
  });
});

describe('a return URL of a connection', () => {
  const allowed = ['http://app.internal:3000', 'myapp://connected'];

  it.each(['https://app.example.com/x?y=1', 'http://app.internal:3000/any/where', 'myapp://connected'])(
    'may be %s',
    (url) => {
      expect(mayReturn(url, allowed)).toBe(true);
    },
  );

  it.each([
    'http://app.example.com/',
    'http://app.internal:3001/',
    'http://app.internal:3000.evil.example.com/',
    'myapp://other',
    'javascript:alert(1)',
    'data:text/html,x',
    'https://user@app.example.com/',
    '/relative',
    '',
  ])('may not be %s', (url) => {
    expect(mayReturn(url, allowed)).toBe(false);
  });
});
