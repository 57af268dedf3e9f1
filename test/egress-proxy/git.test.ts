import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Granted } from '#contract/egress.ts';
import { ResourceId } from '#contract/ids.ts';
import { serveGit } from './git-server.ts';
import { bytesOf, exchange, PLACEHOLDER, stage, substitution } from './opened-stage.ts';

const HOST = 'www.example.com';
const TOKEN = 'ghp_0123456789abcdefghijklmnopqrstuvwxyz';
const VALUE = `Basic ${Buffer.from(`x-access-token:${TOKEN}`).toString('base64')}`;
/** The host is reached for the repository only. */
const ELSE: Granted['reach'] = { type: 'limited', hosts: ['else.example.com'] };

async function gitStage(names: readonly string[] = [], reach: Granted['reach'] = ELSE) {
  const server = await serveGit(VALUE, names);
  const origin = `https://${HOST}:${server.port}`;
  const repository = { resource: ResourceId.parse('sesrsc_1'), origin, path: '/owner/name' };
  const repositories = [{ ...repository, authorization: { header: 'authorization', value: VALUE } }];
  // A credential for all hosts must not stand in git's way.
  const proxy = await stage({ repositories, substitutions: [substitution()] }, reach);
  const git = (...args: readonly string[]) =>
    proxy.run('git', '-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'protocol.file.allow=always', ...args);
  const request = async (line: string, ...headers: readonly string[]) => {
    const head = bytesOf(`${line} HTTP/1.1`, [`Host: ${HOST}:${server.port}`, ...headers]);
    return exchange(await proxy.tls(HOST, server.port), head);
  };
  return { ...proxy, ...server, port: server.port, origin, git, request };
}

describe('a repository of the session', () => {
  it('is cloned, pushed to and fetched from with the token, which no program holds', async () => {
    const { git, origin, folder, got, uses } = await gitStage(['name']);
    await git('clone', '--quiet', `${origin}/owner/name.git`, 'one');
    writeFileSync(join(folder, 'one', 'file'), randomBytes(4_000_000));
    await git('-C', 'one', 'add', '.');
    await git('-C', 'one', 'commit', '--quiet', '-m', 'a file');
    await git('-C', 'one', 'push', '--quiet', 'origin', 'HEAD:main');
    await git('clone', '--quiet', `${origin}/owner/name`, 'two');
    expect(await git('-C', 'two', 'log', '--format=%s')).toBe('a file\n');
    await git('-C', 'two', 'fsck', '--strict');
    expect(got.every((line) => line.endsWith('+token'))).toBe(true);
    expect(uses.flatMap(({ secrets }) => secrets)).toContain('sesrsc_1');
    expect(await git('-C', 'two', 'config', '--list')).not.toContain(TOKEN);
  });

  it('reads submodules of its owner, and writes to none', async () => {
    const { git, origin, folder, got } = await gitStage(['lib']);
    await git('clone', '--quiet', `${origin}/owner/lib.git`, 'lib');
    writeFileSync(join(folder, 'lib', 'file'), 'x');
    await git('-C', 'lib', 'add', '.');
    await git('-C', 'lib', 'commit', '--quiet', '-m', 'x');
    await expect(git('-C', 'lib', 'push', '--quiet', 'origin', 'HEAD:main')).rejects.toThrow('403');
    expect(got.filter((line) => line.includes('receive-pack'))).toEqual([]);
    expect(got).toContain('GET /owner/lib.git/info/refs?service=git-upload-pack +token');
  });

  it('gets its token in the place of what the program sends', async () => {
    const { git, request, got, port } = await gitStage(['name', 'lib']);
    await git('ls-remote', `https://me:${PLACEHOLDER}@${HOST}:${port}/owner/name.git`);
    await request('GET /owner/name.git/info/lfs/locks', 'Authorization: Bearer mine', 'authorization: Bearer other');
    expect(got.filter((line) => line.endsWith('+token'))).toEqual(got);
    await request('GET /owner/lib.git/info/refs?service=git-upload-pack', 'Authorization: Bearer mine');
    expect(got.at(-1)).not.toContain('+token');
  });

  it.each([
    'POST /owner/name.git/info/lfs/objects/batch',
    'GET /owner/name/info/lfs/locks?limit=1',
    `PUT /owner/name.git/info/lfs/objects/${'a'.repeat(64)}`,
  ])('has LFS: %s', async (line) => {
    const { request, got } = await gitStage();
    expect(await request(line, 'Content-Length: 0')).toContain('200 OK');
    expect(got).toEqual([`${line} +token`]);
  });

  it.each([
    'GET /',
    'GET /api/v3/user',
    'GET /owner/name.git/../../other/repo.git/info/refs?service=git-upload-pack',
    'GET /owner/name.git/%2e%2e/other.git/info/refs?service=git-receive-pack',
    'GET //owner/name.git/info/refs?service=git-upload-pack',
    'GET /owner/name/.git/../info/refs?service=git-upload-pack',
    'GET /owner/name.git/info/refs?service=git-upload-pack&x=/other',
    'GET /owner/other.git/info/refs?service=git-receive-pack',
    'GET /stranger/name.git/info/refs?service=git-upload-pack',
  ])('opens nothing else of its host: %s', async (line) => {
    const { request, got, uses } = await gitStage();
    expect(await request(line, `Authorization: ${VALUE.slice(0, 10)}`)).toMatch(
      /^HTTP\/1.1 403 of www.example.com only the git/,
    );
    expect(got).toEqual([]);
    await expect.poll(() => uses.map(({ rule }) => rule)).toContain('repository_paths');

    const reached = await gitStage([], { type: 'unrestricted' });
    await reached.request(line);
    expect(reached.got).toEqual([line]);
    expect(reached.uses.flatMap(({ secrets }) => secrets)).toEqual([]);
  });
});
