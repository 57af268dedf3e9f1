/**
 * Files that are added to a live session or removed from it, and tokens of repositories. The item of the session's contents
 * is read after the head, so it holds every change before that head, and the append, which writes the item with it, loses
 * against any later one.
 */
import type { ResourceId, WorkspaceId } from '#contract/ids.ts';
import { MAX_CONTENTS_BYTES, type FileResource, type FileResourceInput } from '#contract/resources.ts';
import type { Mounted, MountedFile, RepositoryResource, SessionContents } from '#contract/resources.ts';
import { UNREACHABLE } from '#core/egress/mount-repositories.ts';
import { planFiles } from '#core/files/mount-files.ts';
import { removeCopies, writeCopies } from '#core/files/write-copies.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { prepare } from '#core/session/change.ts';
import { refusedRequest } from '#core/session/commands.ts';
import { viewFile, viewRepository } from '#core/session/view.ts';

type ResourcePorts = Pick<Ports, 'log' | 'sessions' | 'files' | 'leftovers' | 'stamp' | 'newToken'>;

interface Target {
  readonly workspace: WorkspaceId;
  readonly key: LogKey;
  readonly cause: string;
}

/** Null when the workspace has no such session. */
export async function addFile(
  world: ResourcePorts,
  to: Target,
  input: FileResourceInput,
): Promise<FileResource | RequestRefusal | null> {
  const { workspace, key } = to;
  // One copy serves all attempts.
  const copies: MountedFile[] = [];
  const added = await changeContents(world, to, async (resources) => {
    const present = resources.filter((one) => one.type === 'file');
    const folders = resources.flatMap((one) => (one.type === 'github_repository' ? [one.mount_path] : []));
    const target = { workspace, session: key.session, present, folders };
    const planned = await planFiles(world, target, [{ field: '', input }]);
    if (isRefusal(planned)) return planned;
    for (const { mounted, copy } of copies.length === 0 ? planned : []) {
      const gone = await writeCopies(world, { workspace, session: key.session }, [copy]);
      if (gone !== null) return gone;
      copies.push(mounted);
    }
    const [mounted] = copies;
    return mounted === undefined ? null : { resources: [...resources, mounted], done: viewFile(mounted) };
  });
  // A process that dies before this line leaves a copy that goes with its session.
  if (added === null || isRefusal(added)) await removeCopies(world, workspace, idsOf(copies));
  return added;
}

/** Null when the workspace has no such session, or the session no such resource. */
export async function removeResource(
  world: ResourcePorts,
  to: Target,
  id: ResourceId,
): Promise<'removed' | RequestRefusal | null> {
  const removed = await changeContents(world, to, async (resources) => {
    const found = resources.find((one) => one.id === id);
    if (found === undefined) return null;
    return found.type === 'file' ? { resources: resources.filter((one) => one !== found), done: [found] } : FOR_LIFE;
  });
  if (removed === null || isRefusal(removed)) return removed;
  // A process that dies before this line leaves a copy that goes with its session.
  await removeCopies(world, to.workspace, idsOf(removed));
  return 'removed';
}

const FOR_LIFE = refuse(
  'invalid_request_error',
  'resource_id: only a file can be removed from a session: memory stores and repositories stay as long as the session',
);

/**
 * Stores another token of a repository. The egress proxy asks again within 30 seconds; the sandbox is told only that the
 * contents changed, and finds nothing that it lacks. Null when there is no such session or resource.
 */
export async function replaceToken(
  world: Pick<Ports, 'log' | 'sessions' | 'stamp' | 'tokenSealer'>,
  to: Target,
  { id, token }: { readonly id: ResourceId; readonly token: string },
): Promise<RepositoryResource | RequestRefusal | null> {
  const { workspace, key } = to;
  const { tokenSealer } = world;
  return changeContents(world, to, async (resources) => {
    const found = resources.find((one) => one.id === id);
    if (found === undefined) return null;
    if (found.type !== 'github_repository') return hasNoToken(found.type);
    if (tokenSealer === null) return refuse('invalid_request_error', `authorization_token: ${UNREACHABLE}`);
    const sealedToken = await tokenSealer.seal({ workspace, session: key.session, resource: id }, token);
    const changed = { ...found, sealedToken, updated_at: world.stamp.now() };
    return { resources: resources.map((one) => (one === found ? changed : one)), done: viewRepository(changed) };
  });
}

function hasNoToken(type: Mounted['type']): RequestRefusal {
  const why = `authorization_token: a resource of type ${type} has none: only repositories have`;
  return refuse('invalid_request_error', why);
}

const idsOf = (mounted: readonly MountedFile[]) => mounted.map(({ file_id }) => file_id);

interface Next<Done> {
  readonly resources: readonly Mounted[];
  /** What is answered when they are written. */
  readonly done: Done;
}

/** `next` decides at each head anew, and answers null when there is nothing to change. */
async function changeContents<Done extends object>(
  { log, sessions, stamp }: Pick<ResourcePorts, 'log' | 'sessions' | 'stamp'>,
  { workspace, key, cause }: Target,
  next: (resources: readonly Mounted[]) => Promise<Next<Done> | RequestRefusal | null>,
): Promise<Done | RequestRefusal | null> {
  for (;;) {
    const head = await log.head(key);
    const record = head === null ? null : await sessions.find(workspace, key.session);
    if (head === null || record === null) return null;
    const prepared = prepare(key, head, { do: 'change contents' }, { stamp });
    if (prepared.status === 'refused') return refusedRequest(prepared);
    const changed = await next(record.contents?.resources ?? []);
    if (changed === null || isRefusal(changed)) return changed;
    const contents: SessionContents = { ...record.contents, resources: [...changed.resources] };
    if (isTooLarge(contents)) return TOO_LARGE;
    if (prepared.status === 'nothing') return null;
    const appended = await log.append({ ...prepared.append, contents, cause });
    if (appended.status === 'appended') return changed.done;
  }
}

export function isTooLarge(contents: SessionContents): boolean {
  return Buffer.byteLength(JSON.stringify(contents)) > MAX_CONTENTS_BYTES;
}

export const TOO_LARGE = refuse(
  'invalid_request_error',
  `resources: paths and instructions are too long together: all resources of a session have room for ${MAX_CONTENTS_BYTES} bytes`,
);
