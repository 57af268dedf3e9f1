/**
 * What the egress proxy is told of a session's repositories. The session's contents are read with each grant, so a token that
 * was replaced is out of force when the proxy asks the next time. An instance opens each token once.
 */
import type { RepositoryGrant } from '#contract/egress.ts';
import type { GitHosts } from '#contract/git-hosts.ts';
import type { SessionId, WorkspaceId } from '#contract/ids.ts';
import type { MountedRepository } from '#contract/resources.ts';
import { createExpiring } from '#core/ports/expiring.ts';
import type { Ports } from '#core/ports/ports.ts';
import { authorizationOf, judgeRepository } from '#core/egress/git-hosts.ts';

interface RepositoryGrantsWorld extends Pick<Ports, 'contents' | 'audit' | 'nowMs' | 'tokenOpener'> {
  readonly gitHosts: GitHosts;
}

/** A sandbox that has just proved who it is, of a session that has repositories. */
interface RepositoriesAsking {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  /** `caller` of its connections: it names session and generation. */
  readonly sandbox: string;
}

/** Throws `Fault` `records_unavailable`, `secret_unavailable` and `audit_unavailable`: then nothing is handed out. */
export type RepositoryGrants = (asking: RepositoriesAsking) => Promise<readonly RepositoryGrant[]>;

/** How long an instance uses a token without opening it again, and hands it out without another record. */
const TOKEN_LASTS_MS = 300_000;
const RECORD_LASTS_MS = 600_000;
const MOST_ENTRIES = 1000;

export function createRepositoryGrants(world: RepositoryGrantsWorld): RepositoryGrants {
  const { nowMs } = world;
  /** By the sealed text, which is another one for each token that is stored. */
  const tokens = createExpiring<string>(nowMs, MOST_ENTRIES);
  const recorded = createExpiring<true>(nowMs, MOST_ENTRIES);

  async function tokenOf({ workspace, session }: RepositoriesAsking, resource: MountedRepository, sealed: string) {
    const kept = tokens.find(sealed);
    if (kept !== undefined) return kept;
    const token = await world.tokenOpener.open({ workspace, session, resource: resource.id }, sealed);
    tokens.keep(sealed, token, nowMs() + TOKEN_LASTS_MS);
    return token;
  }

  /** A grant comes every 30 seconds, so a record stands for those of some minutes; a new token is a new record. */
  async function record(
    { workspace, session, sandbox }: RepositoriesAsking,
    { id }: MountedRepository,
    sealed: string,
  ) {
    const name = `${sandbox} ${sealed}`;
    if (recorded.find(name)) return;
    const nothing = { user: null, vault: null, credential: null, credential_version: null };
    await world.audit.record(workspace, session, { kind: 'secret', session, sandbox, resource: id, ...nothing });
    recorded.keep(name, true, nowMs() + RECORD_LASTS_MS);
  }

  async function grantOf(asking: RepositoriesAsking, mounted: MountedRepository): Promise<readonly RepositoryGrant[]> {
    const place = judgeRepository(mounted.url, world.gitHosts);
    // The deployment has taken the host out of its list since.
    if (place.status === 'refused') return [];
    const { origin, path, form } = place;
    const { id: resource, sealedToken } = mounted;
    if (sealedToken === null) return [{ resource, origin, path, authorization: null }];
    const token = await tokenOf(asking, mounted, sealedToken);
    await record(asking, mounted, sealedToken);
    return [{ resource, origin, path, authorization: authorizationOf(form, token) }];
  }

  return async function repositoryGrants(asking) {
    const contents = await world.contents.find(asking.session);
    const mounted = (contents?.resources ?? []).filter((one) => one.type === 'github_repository');
    return (await Promise.all(mounted.map((one) => grantOf(asking, one)))).flat();
  };
}
