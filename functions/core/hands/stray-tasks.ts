/**
 * Which tasks of the cluster nothing needs. The sweep stops them, whatever died between their start and their end. It has
 * what an idle sandbox holds taken over: such a sandbox ends by itself as soon as nothing in it is left to keep.
 */
import { HandKey, mainHand, SessionId, type Instant } from '#contract/ids.ts';
import { isStale } from '#core/hands/provision.ts';
import type { ClusterTask, SandboxRecord } from '#core/ports/sandboxes.ts';
import { later } from '#core/ports/stamp.ts';

/** A build of packages ends by itself after 20 minutes. */
const MAX_BUILD_MS = 30 * 60_000;

interface OwnedSandbox {
  readonly hand: HandKey;
  readonly generation: number;
}

/** The sandbox that a task is; null for a build of packages, and for what someone started by hand. */
export function sandboxOf({ startedBy }: ClusterTask): OwnedSandbox | null {
  const [, session, named, generation] = /^([^/]+)\/(?:([^/]+)\/)?(\d+)$/.exec(startedBy) ?? [];
  const main = SessionId.safeParse(session);
  if (!main.success) return null;
  const hand = HandKey.safeParse({ ...mainHand(main.data), ...(named !== undefined && { hand: named }) });
  return hand.success ? { hand: hand.data, generation: Number(generation) } : null;
}

type Verdict =
  | { readonly status: 'needed' }
  /** No call was sent to it for the idle time. */
  | ({ readonly status: 'idle' } & OwnedSandbox)
  /** `isCurrent`: its hand still counts on it. */
  | { readonly status: 'stray'; readonly why: 'no owner' | 'too old'; readonly isCurrent: boolean };

/**
 * `record` is the record of the sandbox's hand, read after the list of tasks. A generation is reserved before its task
 * starts, so a task that has just started has its record.
 */
export function judgeTask(
  task: ClusterTask,
  record: SandboxRecord | null,
  { now, maxAgeMs, idleMs }: { readonly now: Instant; readonly maxAgeMs: number; readonly idleMs: number },
): Verdict {
  const isOlder = (ageMs: number) => later(task.createdAt, ageMs) < now;
  if (task.startedBy.startsWith('packages/'))
    return isOlder(MAX_BUILD_MS) ? stray('too old', false) : { status: 'needed' };
  if (!isOwner(task, record, now)) return stray('no owner', false);
  if (isOlder(maxAgeMs)) return stray('too old', true);
  const owner = sandboxOf(task);
  const isIdle = record?.status === 'ready' && later(record.lastUsedAt, idleMs) < now;
  return isIdle && owner !== null ? { status: 'idle', ...owner } : { status: 'needed' };
}

function isOwner(task: ClusterTask, record: SandboxRecord | null, now: Instant): boolean {
  if (record === null || sandboxOf(task)?.generation !== record.generation) return false;
  if (record.status === 'starting') return !isStale(record, now);
  return record.status === 'ready' && record.task === task.task;
}

function stray(why: 'no owner' | 'too old', isCurrent: boolean): Verdict {
  return { status: 'stray', why, isCurrent };
}
