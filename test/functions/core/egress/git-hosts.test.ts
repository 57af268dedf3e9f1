import { describe, expect, it } from 'vitest';
import type { GitHosts } from '#contract/git-hosts.ts';
import { authorizationOf, judgeRepository } from '#core/egress/git-hosts.ts';
import { mountPath } from '#core/egress/mount-repositories.ts';

const HOSTS: GitHosts = {
  'git.example.com': 'gitlab',
  'git-codecommit.eu-west-1.amazonaws.com': 'basic',
  'ghe.example.com': 'github',
};

describe('a repository’s URL', () => {
  it.each([
    ['https://github.com/acme/app', 'https://github.com', '/acme/app', 'app', 'github'],
    ['https://github.com/acme/app.js', 'https://github.com', '/acme/app.js', 'app.js', 'github'],
    ['https://ghe.example.com/acme/app', 'https://ghe.example.com', '/acme/app', 'app', 'github'],
    ['https://git.example.com/a/b/c', 'https://git.example.com', '/a/b/c', 'c', 'gitlab'],
    ['https://git.example.com:8443/a/b', 'https://git.example.com:8443', '/a/b', 'b', 'gitlab'],
    [
      'https://git-codecommit.eu-west-1.amazonaws.com/v1/repos/app',
      ...(['https://git-codecommit.eu-west-1.amazonaws.com', '/v1/repos/app', 'app', 'basic'] as const),
    ],
  ])('%s is a repository', (url, origin, path, name, form) => {
    expect(judgeRepository(url, HOSTS)).toEqual({ status: 'repository', origin, path, name, form });
  });

  it.each([
    ['http://github.com/acme/app', /https URL/],
    ['git@github.com:acme/app', /https URL/],
    ['ssh://git@github.com/acme/app', /https URL/],
    ['HTTPS://github.com/acme/app', /https URL/],
    ['https://github.com/acme/app.git', /\.git/],
    ['https://github.com/acme', /form https:\/\/github\.com\/owner\/repo/],
    ['https://github.com/acme/app/tree', /form https/],
    ['https://github.com/acme/app/', /without a slash/],
    ['https://github.com//acme/app', /without a slash/],
    ['https://github.com/acme/../app', /plain form/],
    ['https://github.com/acme/%61pp', /must name a repository/],
    ['https://github.com/acme/-app', /must name a repository/],
    ['https://github.com/acme/app?x=1', /end with the name/],
    ['https://github.com/acme/app#x', /end with the name/],
    ['https://token@github.com/acme/app', /authorization_token/],
    ['https://user:token@github.com/acme/app', /authorization_token/],
    ['https://GitHub.com/acme/app', /plain form/],
    ['https://github.com:443/acme/app', /plain form/],
    ['https://github.com:8443/acme/app', /network\.gitHosts/],
    ['https://github.com./acme/app', /plain form/],
    ['https://github.com.evil.example/acme/app', /network\.gitHosts/],
    ['https://constructor/acme/app', /network\.gitHosts/],
    ['https://gitlab.com/acme/app', /network\.gitHosts/],
    ['https://127.0.0.1/acme/app', /network\.gitHosts/],
    ['https://github.com/acme/app\n', /plain form/],
    ['', /https URL/],
  ])('%j is refused', (url, rule) => {
    expect(judgeRepository(url, HOSTS)).toEqual({ status: 'refused', rule: expect.stringMatching(rule) });
  });
});

it('each form of a host puts the token into a header', () => {
  const basic = (pair: string) => ({ header: 'authorization', value: `Basic ${btoa(pair)}` });
  expect(authorizationOf('github', 't')).toEqual(basic('x-access-token:t'));
  expect(authorizationOf('gitlab', 't')).toEqual(basic('oauth2:t'));
  expect(authorizationOf('basic', 'user:pass')).toEqual(basic('user:pass'));
  expect(authorizationOf('bearer', 't')).toEqual({ header: 'authorization', value: 'Bearer t' });
  expect(authorizationOf('private-token', 't')).toEqual({ header: 'private-token', value: 't' });
});

describe('where a repository is', () => {
  it.each([
    ['app', '/workspace/app'],
    ['a/b', '/workspace/a/b'],
    ['/workspace/app', '/workspace/app'],
    ['/workspace/app/', '/workspace/app'],
    ['/workspace/é', '/workspace/é'],
  ])('%s', (asked, path) => {
    expect(mountPath(asked)).toEqual({ status: 'mounted', path });
  });

  it.each([
    ['/workspace', /itself/],
    ['/workspace/', /itself/],
    ['', /itself/],
    ['/', /below/],
    ['/home/agent/app', /below/],
    ['/workspacex/app', /below/],
    ['/mnt/session/uploads/app', /below/],
    ['../app', /"\.\."/],
    ['/workspace/../etc', /"\.\."/],
    ['/workspace//app', /empty/],
    ['/workspace/./app', /"\."/],
    ['app\n', /control/],
    ['app/.git', /\.git/],
    ['app/.GIT/x', /\.git/],
    ['skills', /\/workspace\/skills/],
    ['skills/mine', /\/workspace\/skills/],
    ['.brainstem/x', /\.brainstem/],
    ['x'.repeat(256), /255/],
    [`${'x/'.repeat(600)}x`, /1024/],
  ])('%s is refused', (asked, rule) => {
    expect(mountPath(asked)).toEqual({ status: 'refused', rule: expect.stringMatching(rule) });
  });
});
