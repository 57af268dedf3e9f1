import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '#contract/audit.ts';
import type { GitHosts } from '#contract/git-hosts.ts';
import { ResourceId, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { MountedRepository, SessionContents } from '#contract/resources.ts';
import { createRepositoryGrants } from '#core/egress/repositories.ts';
import { sealerOf } from './sealed-tokens.ts';

const workspace = WorkspaceId.parse('wrkspc_1');
const session = SessionId.parse('sesn_1');
const asking = { workspace, session, sandbox: 'sesn_1/box/1' };
const AT = '2026-11-30T10:00:00.000Z';

function worldWith(contents: SessionContents | null, gitHosts: GitHosts = {}) {
  const recorded: AuditEntry[] = [];
  const opened: string[] = [];
  const state = { contents, now: 0, fails: false };
  const tokens = sealerOf();
  const grants = createRepositoryGrants({
    gitHosts,
    contents: { find: async () => state.contents },
    nowMs: () => state.now,
    tokenOpener: {
      open: async (place, sealed) => {
        opened.push(sealed);
        return tokens.open(place, sealed);
      },
    },
    audit: {
      record: async (_workspace, _about, entry) => {
        if (state.fails) throw new Error('the trail is away');
        recorded.push(entry);
      },
    },
  });
  return { grants, recorded, opened, state };
}

async function repository(url: string, token: string | null): Promise<MountedRepository> {
  const id = ResourceId.parse(`sesrsc_${url.replaceAll(/\W/g, '')}`);
  const sealedToken = token === null ? null : await sealerOf().seal({ workspace, session, resource: id }, token);
  const stamps = { created_at: AT, updated_at: AT };
  return { id, type: 'github_repository', url, mount_path: '/workspace/app', checkout: null, ...stamps, sealedToken };
}

describe('the repositories of a session, as the proxy is granted them', () => {
  it('have their origin, their path, and the header of their host', async () => {
    const [mine, open] = [
      await repository('https://github.com/acme/app', 'ghp_1'),
      await repository('https://github.com/acme/open', null),
    ];
    const lab = await repository('https://git.example.com/a/b/c', 'glpat');
    const { grants } = worldWith({ resources: [mine, open, lab] }, { 'git.example.com': 'private-token' });
    expect(await grants(asking)).toEqual([
      {
        ...{ resource: mine.id, origin: 'https://github.com', path: '/acme/app' },
        authorization: { header: 'authorization', value: `Basic ${btoa('x-access-token:ghp_1')}` },
      },
      { resource: open.id, origin: 'https://github.com', path: '/acme/open', authorization: null },
      {
        ...{ resource: lab.id, origin: 'https://git.example.com', path: '/a/b/c' },
        authorization: { header: 'private-token', value: 'glpat' },
      },
    ]);
  });

  it('are none of a session without any, and none of a host that the deployment no longer names', async () => {
    expect(await worldWith(null).grants(asking)).toEqual([]);
    const gone = worldWith({ resources: [await repository('https://git.example.com/a/b', 't')] });
    expect(await gone.grants(asking)).toEqual([]);
    expect(gone.opened).toEqual([]);
  });

  it('are recorded before their token is given, once in ten minutes and for each token and sandbox', async () => {
    const one = await repository('https://github.com/acme/app', 'ghp_1');
    const { grants, recorded, opened, state } = worldWith({ resources: [one] });
    state.fails = true;
    await expect(grants(asking)).rejects.toThrow('away');
    state.fails = false;
    await grants(asking);
    state.now = 290_000;
    await grants(asking);
    expect([recorded.length, opened.length]).toEqual([1, 1]);
    expect(recorded[0]).toMatchObject({ kind: 'secret', session, sandbox: asking.sandbox, resource: one.id });
    expect(JSON.stringify(recorded)).not.toContain('ghp_1');
    await grants({ ...asking, sandbox: 'sesn_1/box/2' });
    expect(recorded).toHaveLength(2);
    state.contents = { resources: [await repository(one.url, 'ghp_2')] };
    const [rotated] = await grants(asking);
    expect(rotated?.authorization?.value).toBe(`Basic ${btoa('x-access-token:ghp_2')}`);
    expect([recorded.length, opened.length]).toEqual([3, 2]);
    state.now = 900_000;
    await grants(asking);
    expect([recorded.length, opened.length]).toEqual([4, 3]);
  });
});
