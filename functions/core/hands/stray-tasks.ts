/**
 * Which tasks of the cluster nothing needs. The sweep stops them, whatever died between their start and their end. It has
 * what an idle sandbox holds taken over: such a sandbox ends by itself as soon as nothing in it is left to keep.
 */
import { HandKey, mainHand, SessionId, type Instant } from '#contract/ids.ts';
import { PROXY_STALE_MS, STALE_MS } from '#core/hands/provision.ts';
import { isStale } from '#core/hands/start-task.ts';
import type { ClusterTask, ProxySlot, SandboxRecord } from '#core/ports/sandboxes.ts';
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

interface OwnedProxy {
  readonly slot: ProxySlot;
  readonly generation: number;
}

/** The egress proxy that a task is. */
export function proxyOf({ startedBy }: ClusterTask): OwnedProxy | null {
  const [, slot, generation] = /^egress\/(\d+)\/(\d+)$/.exec(startedBy) ?? [];
  return slot === undefined ? null : { slot: { slot: Number(slot) }, generation: Number(generation) };
}

/** Which it is of the one that its record tells of, read after the list of tasks. A proxy ends by itself when it is idle. */
export function judgeProxy(task: ClusterTask, record: SandboxRecord | null, now: Instant): Verdict {
  const isNeeded = isGeneration(proxyOf(task)?.generation, task, record, { now, staleMs: PROXY_STALE_MS });
  return isNeeded ? { status: 'needed' } : stray('no owner', false);
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
  if (!isGeneration(sandboxOf(task)?.generation, task, record, { now, staleMs: STALE_MS }))
    return stray('no owner', false);
  if (isOlder(maxAgeMs)) return stray('too old', true);
  const owner = sandboxOf(task);
  const isIdle = record?.status === 'ready' && later(record.lastUsedAt, idleMs) < now;
  return isIdle && owner !== null ? { status: 'idle', ...owner } : { status: 'needed' };
}

function isGeneration(
  generation: number | undefined,
  { task }: ClusterTask,
  record: SandboxRecord | null,
  { now, staleMs }: { readonly now: Instant; readonly staleMs: number },
): boolean {
  if (record === null || generation !== record.generation) return false;
  if (record.status === 'starting') return !isStale(record, now, staleMs);
  return record.status === 'ready' && record.task === task;
}

function stray(why: 'no owner' | 'too old', isCurrent: boolean): Verdict {
  return { status: 'stray', why, isCurrent };
}
