import { describe, expect, it } from 'vitest';
import { chooseScopes } from '#core/connect/approve.ts';
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
