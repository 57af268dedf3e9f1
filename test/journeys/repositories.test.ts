/** Repositories through the whole service: the SDK, a sandbox, the egress proxy, and a git host that demands a token. */
import { randomBytes } from 'node:crypto';
import type Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { startMcpService, type McpService } from '#test/mcp/mcp-service.ts';
import { placesWith } from '#test/mcp/traces.ts';
import { startGitHost, type GitHost } from '#test/sandbox-task/git-host.ts';

/** The loopback name leads to the server of the test, so it must not be left out. */
const PRELUDE = 'export NO_PROXY= no_proxy=; ';

type Resource = NonNullable<Anthropic.Beta.SessionCreateParams['resources']>[number];

describe.skipIf(!inject('hasBubblewrap') || !inject('hasGit'))('repositories of a session', () => {
  const token = `ghp_${randomBytes(18).toString('hex')}`;
  const wrong = `ghp_${randomBytes(18).toString('hex')}`;
  let host: GitHost;
  let service: McpService;
  let beta: Anthropic['beta'];
  let shas: readonly string[];
  let told: readonly Event[] = [];
  const results: string[] = [];

  beforeAll(async () => {
    host = await startGitHost('localhost', token);
    shas = await host.create('team/app', 3);
    await host.create('private/app', 2);
    await host.create('private/other', 1);
    await host.create('others/app', 1);
    const network = { allow: ALLOW_HERE, extraCa: host.cert, gitHosts: { localhost: 'github' as const } };
    service = await startMcpService({ props: { network } });
    ({ beta } = service.client);
  });
  afterAll(async () => {
    await service?.close();
    await host?.close();
  });

  const urlOf = (path: string) => `https://localhost:${host.port}/${path}`;

  async function sessionWith(resources: readonly Resource[]) {
    const tools = [{ type: 'agent_toolset_20260401' as const }];
    const agent = await beta.agents.create({ name: 'Ada', model: 'claude-opus-5', tools });
    // It reaches no host: what a session's repositories need is open to it all the same.
    const config = { type: 'cloud' as const, networking: { type: 'limited' as const, allowed_hosts: [] } };
    const environment = await beta.environments.create({ name: 'lab', config });
    return beta.sessions.create({ agent: agent.id, environment_id: environment.id, resources: [...resources] });
  }

  async function run(session: string, command: string): Promise<string> {
    service.standIn.script(calling(bash(PRELUDE + command)));
    told = await service.converse(session, 'go');
    const output = ofType(told, 'agent.tool_result').map(textOf).join('\n');
    results.push(output);
    return output;
  }

  it('are cloned before the first call, public and private, and the agent pushes without seeing a token', async () => {
    const type = 'github_repository';
    const session = await sessionWith([
      { type, url: urlOf('team/app') },
      { type, url: urlOf('team/app'), mount_path: '/workspace/topic', checkout: { type: 'branch', name: 'topic' } },
      { type, url: urlOf('team/app'), mount_path: 'first', checkout: { type: 'commit', sha: shas[0] ?? '' } },
      { type, url: urlOf('private/app'), mount_path: '/workspace/mine', authorization_token: wrong },
      { type, url: urlOf('private/other'), authorization_token: wrong },
    ]);
    expect(JSON.stringify(session)).not.toContain(wrong);
    const [, , , mine] = session.resources;
    if (mine?.type !== 'github_repository') throw new Error('no repository');
    const replaced = { session_id: session.id, authorization_token: token };
    const rotated = await beta.sessions.resources.update(mine.id, replaced);
    expect(rotated).toMatchObject({ id: mine.id, type, mount_path: '/workspace/mine' });
    expect(JSON.stringify(rotated)).not.toContain(token);
    const seen = await run(
      session.id,
      'cat app/README.md topic/topic.md first/README.md mine/README.md; ls; cd mine; git remote get-url origin; ' +
        'echo mine > mine.md; git add .; git commit -qm "by the agent"; git push -q origin HEAD:agent && echo pushed; ' +
        'git fetch -q origin && git branch -r; env; cat .git/config; git config --list --show-origin',
    );
    expect(seen.split('\n').slice(0, 4)).toEqual(['commit 3', 'the topic', 'commit 1', 'commit 2']);
    expect(seen).toContain(`${urlOf('private/app')}\npushed\n`);
    expect(seen).toMatch(/origin\/agent\n/);
    expect(await host.git('private/app', 'log', '-1', '--format=%s %an', 'agent')).toBe('by the agent Agent');
    // Its token is wrong: the session goes on without it.
    const url = urlOf('private/other');
    expect(ofType(told, 'session.error').map(({ error }) => error)).toEqual([
      {
        ...{ type: 'repository_authentication_error', repository_url: url, retry_status: { type: 'retrying' } },
        message: expect.stringMatching(/could not be cloned: its host asks for a token/),
      },
    ]);
    expect(seen).toMatch(/The repository https:\/\/localhost:\d+\/private\/other is not in \/workspace\/other: /);
    expect(ofType(told, 'session.status_idle').at(-1)?.stop_reason).toEqual({ type: 'end_turn' });
    await run(session.id, 'ls');
    expect(ofType(told, 'session.error')).toEqual([]);
    // Only requests about a repository with a token carried it.
    const sent = host.requests.filter(({ authorization }) => authorization !== undefined);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.filter(({ line }) => !line.includes('/private/'))).toEqual([]);
  });

  it('never lead to a repository, or a place of their host, that the session was not given', async () => {
    const session = await sessionWith([
      { type: 'github_repository', url: urlOf('private/app'), authorization_token: token },
    ]);
    const before = host.requests.length;
    const others = urlOf('others/app');
    const service = 'info/refs?service=git-upload-pack';
    const tried = [
      `git clone -q ${others} a`,
      `git -C app remote set-url origin ${others}; git -C app fetch -q`,
      `git ls-remote ${urlOf('private/../others/app')}`,
      `git -c http.extraHeader="x-forwarded-host: github.com" ls-remote ${others}`,
      `curl -sS ${others}/${service}`,
      `curl -sS --path-as-is ${urlOf(`private/app/../../others/app/${service}`)}`,
      `curl -sS ${urlOf(`private%2fapp/${service}`)}`,
      `curl -sS ${urlOf('private/app/settings')}`,
      `curl -sS ${urlOf('api/v3/user')}`,
      // What asks for the token, or looks at how git goes out, learns nothing.
      `git -C app -c credential.helper='!cat; env; echo asked #' fetch -q`,
      `printf '#!/bin/sh\\nenv; cat; git config --list\\n' > app/.git/hooks/pre-push; chmod +x app/.git/hooks/pre-push`,
      'git -C app push -q --dry-run origin HEAD:hooked',
      'GIT_TRACE_CURL=1 GIT_TRACE_REDACT=0 git -C app ls-remote 2>&1 | grep -i authorization',
      // Other ways to write another repository.
      `git -C app -c url.${others}.insteadOf=${urlOf('private/app')} fetch -q`,
      `git -C app -c url.${others}.pushInsteadOf=${urlOf('private/app')} push -q origin HEAD:evil`,
      `git -C app -c remote.origin.pushurl=${others} push -q origin HEAD:evil`,
      `git -C app -c protocol.file.allow=always submodule add -q ${others} sub`,
      `curl -sS -d '{"operation":"download","objects":[]}' ${others}.git/info/lfs/objects/batch`,
      `git -C app -c http.proxy=http://127.0.0.1:1 ls-remote ${others}`,
      // Another repository of the same owner may be a submodule: it is read, and never written.
      `git clone -q ${urlOf('private/other')} read && cd read && git -c user.name=a -c user.email=b commit -q --allow-empty -m x`,
      'git push -q origin HEAD:evil',
    ];
    const seen = await run(session.id, `${tried.join('; ')}; ls`);
    expect(seen.split('\n').at(-1)).toBe('README.md');
    expect(seen).not.toMatch(/refs\/heads\/topic/);
    expect(await host.git('private/other', 'branch', '--list', 'evil')).toBe('');
    const got = host.requests.slice(before).map(({ line }) => line);
    expect(got.length).toBeGreaterThan(0);
    expect(got.filter((line) => !/^[A-Z]+ \/private\/(app|other)\/(info\/refs|git-upload-pack)$/.test(line))).toEqual(
      [],
    );
    for (const path of ['others/app', 'private/app']) expect(await host.git(path, 'branch', '--list', 'evil')).toBe('');
  });

  it('leave their tokens in no answer, event, model request, row, file or log', async () => {
    const events = JSON.stringify(service.standIn.requests);
    const places = new Map([...(await service.rows()), ...service.written()]);
    expect([...places.keys()]).toEqual(expect.arrayContaining(['logs/api.log', 'logs/execute.log']));
    places.set('results', results.join('\n'));
    places.set('model', events);
    expect(placesWith([token, wrong], places)).toEqual([]);
  });
});
