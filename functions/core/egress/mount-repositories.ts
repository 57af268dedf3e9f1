/** Repositories of a new session: where each is in its sandboxes, its sealed token, and what the models are told. */
import type { GitHosts } from '#contract/git-hosts.ts';
import { SKILLS_DIR, WORKDIR } from '#contract/hands.ts';
import { ResourceId, type SessionId, type WorkspaceId } from '#contract/ids.ts';
import type { MountedRepository, RepositoryInput } from '#contract/resources.ts';
import { judgeRepository } from '#core/egress/git-hosts.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';

export interface AskedRepository {
  /** Stands before the names of the resource's fields: `resources.0.` */
  readonly field: string;
  readonly input: RepositoryInput;
}

type MountWorld = Pick<Ports, 'tokenSealer' | 'stamp' | 'newToken'> & { readonly gitHosts: GitHosts };

/** In the order of the request. It stores nothing: a sealed token is kept with its resource. */
export async function planRepositories(
  { gitHosts, tokenSealer, stamp, newToken }: MountWorld,
  to: { readonly workspace: WorkspaceId; readonly session: SessionId },
  asked: readonly AskedRepository[],
): Promise<readonly MountedRepository[] | RequestRefusal> {
  const [first] = asked;
  if (first === undefined) return [];
  if (tokenSealer === null) return unfit(`${first.field}type: ${UNREACHABLE}`);
  const places = placesOf(asked, gitHosts);
  if (isRefusal(places)) return places;
  const now = stamp.now();
  return Promise.all(
    asked.map(async ({ input }, index): Promise<MountedRepository> => {
      const id = ResourceId.parse(`sesrsc_${newToken()}`);
      const { authorization_token: token = null, checkout = null, url } = input;
      const sealedToken = token === null ? null : await tokenSealer.seal({ ...to, resource: id }, token);
      const mount_path = places[index] ?? WORKDIR;
      const told = { url, mount_path, checkout, created_at: now, updated_at: now };
      return { id, type: 'github_repository', ...told, sealedToken };
    }),
  );
}

export const UNREACHABLE =
  'repositories cannot be cloned, because sandboxes of this deployment reach nothing: its option network.max is none';

function placesOf(asked: readonly AskedRepository[], hosts: GitHosts): readonly string[] | RequestRefusal {
  const places: string[] = [];
  for (const { field, input } of asked) {
    const judged = judgeRepository(input.url, hosts);
    if (judged.status === 'refused') return unfit(`${field}url: ${judged.rule}`);
    const place = mountPath(input.mount_path ?? judged.name);
    if (place.status === 'refused') return unfit(`${field}mount_path: ${place.rule}`);
    const { path } = place;
    if (places.includes(path)) return unfit(`${field}mount_path: another repository of the session is at ${path}`);
    const other = places.find((one) => isBelow(one, path) || isBelow(path, one));
    if (other !== undefined) return unfit(`${field}mount_path: it and ${other} lie in each other`);
    places.push(path);
  }
  return places;
}

/** Folders in the working directory that the service uses. */
const RESERVED = [`${WORKDIR}/.brainstem`, SKILLS_DIR];

type MountPath =
  | { readonly status: 'mounted'; readonly path: string }
  | { readonly status: 'refused'; readonly rule: string };

/** A relative path is one below the working directory. */
export function mountPath(asked: string): MountPath {
  const absolute = asked.startsWith('/') ? asked : `${WORKDIR}/${asked}`;
  const path = absolute.length > 1 ? absolute.replace(/\/$/, '') : absolute;
  if (/\p{Cc}/u.test(path)) return refused('must not contain control characters');
  if (path === WORKDIR) return refused(`must be a folder below ${WORKDIR} and not ${WORKDIR} itself`);
  if (!isBelow(path, WORKDIR)) return refused(`must be below ${WORKDIR}`);
  const names = path.slice(WORKDIR.length + 1).split('/');
  if (names.some((name) => ['', '.', '..'].includes(name))) return refused('must have no empty segment, "." or ".."');
  if (names.some((name) => name.toLowerCase() === '.git')) return refused('must not be in a folder .git');
  if (names.some((name) => Buffer.byteLength(name) > 255))
    return refused('must have at most 255 bytes in each segment');
  if (Buffer.byteLength(path) > 1024) return refused('must have at most 1024 bytes');
  const reserved = RESERVED.find((folder) => path === folder || isBelow(path, folder));
  return reserved === undefined ? { status: 'mounted', path } : refused(`must not be in ${reserved}`);
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

function refused(rule: string): MountPath {
  return { status: 'refused', rule };
}

function unfit(message: string): RequestRefusal {
  return refuse('invalid_request_error', message);
}

/** For the system prompt; null without repositories. Nothing in it can end its own block. */
export function repositoryGuide(mounted: readonly MountedRepository[]): string | null {
  if (mounted.length === 0) return null;
  const blocks = mounted.map(({ mount_path: path, url, checkout }) => {
    const told = { path, url, checkout: checkout ?? 'the default branch' };
    return `<repository>\n${JSON.stringify(told).replaceAll('<', '\\u003c')}\n</repository>`;
  });
  return [
    'Git repositories are cloned into the folders below before your first command. A clone has the newest commits only: ' +
      '`git fetch --unshallow` brings the rest, and `git fetch origin` the other branches. You may commit, fetch, pull and push ' +
      'with `git`: where the user gave a token it is added outside the sandbox, so you neither have nor need one. A command ' +
      'tells when a repository could not be cloned. A repository may bring skills, folders of `.claude/skills` at its root: the ' +
      'first command tells them, and when a task fits one, read its SKILL.md before you begin.',
    ...blocks,
  ].join('\n\n');
}
