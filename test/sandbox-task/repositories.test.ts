import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { ExecuteResponse, type ContentEntry } from '#contract/hands.ts';
import type { Checkout } from '#contract/repositories.ts';
import { callOf, startSandbox, type Sandbox } from './running-sandbox.ts';
import { startGitHost, type GitHost } from './git-host.ts';

const hasGit = inject('hasGit');
let host: GitHost;
let shas: readonly string[];
const sandboxes: Sandbox[] = [];

beforeAll(async () => {
  if (!hasGit) return;
  host = await startGitHost();
  shas = await host.create('team/app', 60);
  await host.create('private/app', 1);
});
afterEach(async () => {
  await Promise.all(sandboxes.splice(0).map((sandbox) => sandbox.close()));
});
afterAll(async () => host?.close());

async function sandboxFor(options: Parameters<typeof startSandbox>[2] = {}) {
  const sandbox = await startSandbox('tcp', null, { variables: host.variables, ...options });
  sandboxes.push(sandbox);
  return sandbox;
}

function repository(path: string, url = 'team/app', checkout: Checkout | null = null): ContentEntry {
  const source = { url: `https://${host.host}/${url}`, checkout };
  return { path, version: '1', access: 'read_write', form: 'repository', repository: source };
}

/** One call, made again while the sandbox clones. */
async function call(sandbox: Sandbox, command: string, contents = 'v1'): Promise<ExecuteResponse> {
  const request = callOf('bash', { command }, { contents });
  for (;;) {
    const { status, body } = await sandbox.post(request);
    if (status === 200) return body as ExecuteResponse;
    expect(body).toMatchObject({ error: 'repositories_awaited' });
  }
}

const filesIn = (sandbox: Sandbox) => readdirSync(sandbox.workdir).filter((name) => name !== '.brainstem');

describe.skipIf(!hasGit)('repositories', () => {
  it('are there before the first call, with the newest commits, an author and no secret', async () => {
    const sandbox = await sandboxFor();
    const { body } = await sandbox.expectContents('v1', [
      repository('/workspace/app'),
      repository('/workspace/sub/topic', 'team/app', { type: 'branch', name: 'topic' }),
      repository('/workspace/old', 'team/app', { type: 'commit', sha: shas[4] ?? '' }),
    ]);
    expect(body).toEqual({ lacking: [] });
    const { output, failedClones, notes } = await call(
      sandbox,
      'cd app && cat README.md && git rev-parse --abbrev-ref HEAD && git rev-list --count HEAD && git remote -v | head -1 ' +
        '&& cat ../sub/topic/topic.md && cat ../old/README.md && git -C ../old rev-parse HEAD && test ! -e .git/hooks ' +
        '&& git status --porcelain && git commit --quiet --allow-empty -m mine && git log -1 --format=%an',
    );
    expect(output.split('\n')).toEqual([
      ...['commit 60', 'main', '50', `origin\thttps://${host.host}/team/app (fetch)`],
      ...['the topic', 'commit 5', shas[4], 'Agent'],
    ]);
    expect([failedClones, notes]).toEqual([undefined, undefined]);
    expect(filesIn(sandbox).toSorted()).toEqual(['app', 'old', 'sub']);
    expect(readdirSync(join(sandbox.workdir, 'sub'))).toEqual(['topic']);
  });

  it('have their whole history and all branches on demand, also of a commit', async () => {
    const sandbox = await sandboxFor();
    await sandbox.expectContents('v1', [
      repository('/workspace/app'),
      repository('/workspace/old', 'team/app', { type: 'commit', sha: shas[55] ?? '' }),
    ]);
    const history = (folder: string) =>
      `git -C ${folder} fetch --quiet --unshallow && git -C ${folder} rev-list --count HEAD && ` +
      `git -C ${folder} show origin/topic:topic.md`;
    const { output } = await call(sandbox, `${history('app')} && ${history('old')}`);
    expect(output.split('\n')).toEqual(['60', 'the topic', '56', 'the topic']);
  });

  it('are cloned once, whatever the agent does to them', async () => {
    const sandbox = await sandboxFor();
    await sandbox.expectContents('v1', [repository('/workspace/app')]);
    await call(sandbox, 'rm -rf app');
    await sandbox.expectContents('v2', [repository('/workspace/app')]);
    const asked = host.requests.length;
    expect((await call(sandbox, 'ls', 'v2')).output).toBe('(no output)');
    expect(host.requests).toHaveLength(asked);
  });

  it('that are refused or do not exist are told once, with what is wrong, and the call is made', async () => {
    host.answer('/team/forbidden', 403);
    host.answer('/team/broken', 500);
    const sandbox = await sandboxFor();
    const noSha = 'f'.repeat(40);
    await mkdir(join(sandbox.workdir, 'taken'));
    await writeFile(join(sandbox.workdir, 'taken/mine'), '');
    await writeFile(join(sandbox.workdir, 'file'), '');
    const asked: readonly (readonly [ContentEntry, string, RegExp])[] = [
      [repository('/workspace/a', 'private/app'), 'repository_authentication_error', /asks for a token/],
      [repository('/workspace/b', 'team/forbidden'), 'repository_forbidden_error', /refuses the access/],
      [repository('/workspace/c', 'team/none'), 'repository_not_found_error', /no such repository/],
      [
        repository('/workspace/d', 'team/app', { type: 'branch', name: 'none' }),
        'repository_checkout_error',
        /no branch none/,
      ],
      [
        repository('/workspace/e', 'team/app', { type: 'commit', sha: noSha }),
        'repository_checkout_error',
        /no commit ffff/,
      ],
      [repository('/workspace/f', 'team/broken'), 'repository_clone_error', /500/],
      [repository('/workspace/taken'), 'repository_clone_error', /files are in its folder/],
      [repository('/workspace/file/g'), 'repository_clone_error', /a file is where/],
    ];
    await sandbox.expectContents('v1', [repository('/workspace/good'), ...asked.map(([entry]) => entry)]);
    const { output, failedClones = [], notes = [] } = await call(sandbox, 'ls');
    expect(output.split('\n')).toEqual(['file', 'good', 'taken']);
    expect(failedClones).toHaveLength(asked.length);
    expect(notes).toHaveLength(asked.length);
    for (const [{ path, repository: source }, type, message] of asked) {
      const note = notes.find((one) => one.includes(` ${path}: `));
      expect(note).toMatch(message);
      expect(failedClones).toContainEqual({
        ...{ type, url: source?.url },
        message: expect.stringMatching(message),
      });
    }
    expect(readdirSync(sandbox.workdir).filter((name) => name.endsWith('.clone'))).toEqual([]);
    expect((await call(sandbox, 'ls')).failedClones).toBeUndefined();
  });

  it('with long names are told in the room that a response has', async () => {
    const sandbox = await sandboxFor();
    const name = 'é'.repeat(120);
    const path = `/workspace/${[name, name, name, name].join('/')}`;
    const long = 'a'.repeat(1900);
    await host.create('team/wordy', 1, {
      '.claude/skills/s/SKILL.md': `---\nname: s\ndescription: ${'é'.repeat(5000)}\n---\n`,
    });
    const expected = await sandbox.expectContents('v1', [
      repository('/workspace/long', `team/${long}`),
      repository(path, 'team/wordy'),
      repository(`${path}s`, `none/${long}`),
    ]);
    expect(expected).toMatchObject({ status: 200 });
    const answered = ExecuteResponse.parse(await call(sandbox, 'true'));
    expect(answered.failedClones?.map(({ url }) => url.length)).toEqual([1929, 1929]);
    expect(answered.notes).toHaveLength(4);
  });

  it('are tried again when the contents change, and after a pause that grows', async () => {
    host.answer('/team/late', 404);
    const sandbox = await sandboxFor({ cloneTimes: { pauseMs: 300 } });
    const late = [repository('/workspace/late', 'team/late')];
    await sandbox.expectContents('v1', late);
    const failed = async (contents: string) => (await call(sandbox, 'true', contents)).failedClones?.length ?? 0;
    expect([await failed('v1'), await failed('v1')]).toEqual([1, 0]);
    await sandbox.expectContents('v2', late);
    expect([await failed('v2'), await failed('v2')]).toEqual([1, 0]);
    await new Promise((resolve) => void setTimeout(resolve, 310));
    expect([await failed('v2'), await failed('v2')]).toEqual([1, 0]);
    await new Promise((resolve) => void setTimeout(resolve, 310));
    expect(await failed('v2')).toBe(0);
  });

  it('that break off on the way are cloned again as a whole', async () => {
    await host.create('team/large', 1, { 'large.txt': 'x'.repeat(1000).repeat(10) + Math.random() });
    host.breakNext(1, 300);
    const sandbox = await sandboxFor();
    await sandbox.expectContents('v1', [repository('/workspace/large', 'team/large')]);
    const { output, failedClones } = await call(sandbox, 'git -C large status --porcelain && ls large');
    expect(failedClones).toBeUndefined();
    expect(output.split('\n')).toEqual(['README.md', 'large.txt']);
    host.breakNext(2, 300);
    await sandbox.expectContents('v2', [repository('/workspace/again', 'team/large')]);
    expect((await call(sandbox, 'ls', 'v2')).failedClones).toMatchObject([{ type: 'repository_clone_error' }]);
    expect(filesIn(sandbox)).toEqual(['large']);
  });

  it('hold a call up for their time limit at most, and answer while they are cloned', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const variables = { ...host.variables, HTTPS_PROXY: `http://127.0.0.1:${port}` };
    const sandbox = await sandboxFor({ cloneTimes: { waitMs: 50, cloneMs: 600 }, variables });
    await sandbox.expectContents('v1', [repository('/workspace/app')]);
    const request = callOf('bash', { command: 'true' }, { contents: 'v1' });
    expect(await sandbox.post(request)).toMatchObject({ status: 425, body: { error: 'repositories_awaited' } });
    const { failedClones } = await call(sandbox, 'true');
    expect(failedClones).toMatchObject([{ message: expect.stringMatching(/: it was not finished in time$/) }]);
    silent.close();
  });

  it('run nothing that the agent or the repository configured', async () => {
    await host.create('team/evil', 1, {
      '.gitattributes': '* filter=evil\n',
      '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = file:///etc\n',
      '.githooks/post-checkout': '#!/bin/sh\ntouch /tmp/brainstem-hook-ran\n',
    });
    const sandbox = await sandboxFor();
    const home = join(sandbox.workdir, '..', 'home');
    await mkdir(home);
    const trap = join(home, 'trap');
    await writeFile(
      join(home, '.gitconfig'),
      `[core]\n\thooksPath = .githooks\n\tsshCommand = touch ${trap}\n[credential]\n\thelper = "!touch ${trap};"\n` +
        `[filter "evil"]\n\tsmudge = touch ${trap}; cat\n\trequired = true\n[init]\n\ttemplateDir = ${home}\n` +
        `[url "https://elsewhere.example.com/"]\n\tinsteadOf = https://${host.host}/\n`,
    );
    await sandbox.expectContents('v1', [repository('/workspace/evil', 'team/evil')]);
    const before = process.env['HOME'];
    process.env['HOME'] = home;
    try {
      const { output, failedClones } = await call(sandbox, 'cat evil/README.md');
      expect([output, failedClones]).toEqual(['commit 1\n'.trim(), undefined]);
    } finally {
      process.env['HOME'] = before;
    }
    expect([existsSync(trap), existsSync('/tmp/brainstem-hook-ran')]).toEqual([false, false]);
    expect(readFileSync(join(sandbox.workdir, 'evil/.git/config'), 'utf8')).not.toMatch(/helper|hooksPath/);
  });

  it('bring skills, which are told once, and none through a link', async () => {
    const skill = (name: string) => `---\nname: ${name}\ndescription: Says <hello>.\n---\nSay it.\n`;
    await host.create('team/skilled', 1, {
      '.claude/skills/greet/SKILL.md': skill('greet'),
      '.claude/skills/bare/SKILL.md': 'No frontmatter.\n',
      '.claude/skills/none/README.md': 'no skill',
      '.claude/skills/leak/SKILL.md': { linkTo: '/proc/self/environ' },
      '.claude/skills/away': { linkTo: '../../other' },
      'other/SKILL.md': skill('away'),
      'docs/.claude/skills/deep/SKILL.md': skill('deep'),
    });
    await host.create('team/linked', 1, { '.claude/skills': { linkTo: '../other' }, 'other/a/SKILL.md': skill('a') });
    const sandbox = await sandboxFor();
    await sandbox.expectContents('v1', [
      repository('/workspace/skilled', 'team/skilled'),
      repository('/workspace/linked', 'team/linked'),
    ]);
    const { notes } = await call(sandbox, 'true');
    expect(notes).toEqual([
      expect.stringMatching(/^\(\/workspace\/skilled brings skills\./),
      '<skill path="/workspace/skilled/.claude/skills/bare/SKILL.md">\n\n</skill>',
      '<skill path="/workspace/skilled/.claude/skills/greet/SKILL.md">\nname: greet\ndescription: Says &lt;hello>.\n</skill>',
    ]);
    expect((await call(sandbox, 'true')).notes).toBeUndefined();
  });

  it('tell as many skills as a result has room for', async () => {
    const many = Array.from({ length: 33 }, (_, index) => [`.claude/skills/s${index}/SKILL.md`, 'x'] as const);
    await host.create('team/many', 1, Object.fromEntries(many));
    const sandbox = await sandboxFor();
    await sandbox.expectContents(
      'v1',
      ['a', 'b', 'c', 'd'].map((name) => repository(`/workspace/${name}`, 'team/many')),
    );
    const { notes = [] } = await call(sandbox, 'true');
    expect(notes).toHaveLength(100);
    expect(notes).toContainEqual(expect.stringMatching(/^\(3 more are in \/workspace\/\w\/\.claude\/skills\.\)$/));
  });

  it('are left out where there is no git, and the call is made', async () => {
    const sandbox = await sandboxFor({ variables: { ...host.variables, PATH: '/nowhere' } });
    await sandbox.expectContents('v1', [repository('/workspace/app')]);
    const { failedClones } = await call(sandbox, 'true');
    expect(failedClones).toMatchObject([{ message: expect.stringMatching(/has no program git$/) }]);
  });
});
