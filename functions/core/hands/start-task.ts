/**
 * Makes sure that a task runs: the sandbox of a hand, or an egress proxy. A generation is reserved by one conditional write,
 * and its task is started under a name made of its key and generation, so a second provisioner finds the first one's work.
 * One provisioner watches a start and asks ECS; the others wait for what it writes into the record.
 */
import type { SandboxNetwork } from '#contract/egress.ts';
import type { OwnEnvironment } from '#contract/entries.ts';
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import {
  archiveOf,
  awaitTask,
  build,
  explainFailure,
  FAILURE_LASTS_MS,
  type PackagePorts,
} from '#core/hands/packages.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ReservedSandbox, SandboxRecord, SandboxStart, StartRecords, Starter } from '#core/ports/sandboxes.ts';
import { later } from '#core/ports/stamp.ts';

type FailedSandbox = Extract<SandboxRecord, { status: 'failed' }>;
type ReadySandbox = Extract<SandboxRecord, { status: 'ready' }>;

/** What is to be known of one kind of task. `newToken` makes the token of a generation. */
export interface StartWorld<Key> extends PackagePorts, Pick<Ports, 'newToken' | 'journal'> {
  readonly records: StartRecords<Key>;
  readonly tasks: Starter<Key>;
  /** What the next generation may reach; none for a task that is no sandbox. */
  networkOf(key: Key, previous: SandboxRecord | null): Promise<SandboxNetwork | null>;
  /** Whether a task that was ready is still: `ask` leaves it to ECS. */
  judge(record: ReadySandbox, now: Instant): 'ready' | 'ask' | 'lost';
  /** A start that had no watcher for so long is not gone on with. Its task is the sweep's. */
  readonly staleMs: number;
  /** For lines of the log. */
  named(key: Key): Readonly<Record<string, string>>;
  /** The text that the model reads. */
  notStarted(attempts: number, seconds: number): string;
}

/** Between two looks at a starting task; a Fargate task needs 20–60 s, and ECS allows 20 looks a second per account. */
const POLL_MS = [100, 200, 400, 800, 1500, 2000] as const;
/** Between two looks at the record of a start that another provisioner watches. */
const WAIT_MS = 250;
/** The pause before each further attempt: missing capacity and throttling pass, and each attempt costs a call of RunTask. */
const PAUSES_MS = [2000, 6000, 12_000, 25_000] as const;
/** Further attempts have failed by then, since the first one began. */
const ATTEMPTS_LAST_MS = 90_000;
/** A first task that ECS is still starting is waited for longer, because a large image takes minutes. */
const SLOW_START_MS = 180_000;
/** A start without a watcher is taken over after so long. */
const WATCH_MS = 5000;
/** Packages take long. Below the function's own 15 minutes; a later provisioner joins the same build. */
const PATIENCE_MS = 840_000;

interface Provisioning<Key> {
  readonly key: Key;
  /** Names this invocation among the provisioners of the key. */
  readonly watcher: string;
  readonly began: Instant;
  readonly deadline: number;
}

type StartingSandbox = ReservedSandbox & SandboxStart;
interface Starting<Key> extends Provisioning<Key> {
  readonly record: StartingSandbox;
}

/** The record of a task that is ready, or whose start failed after this began. */
export async function startTask<Key>(world: StartWorld<Key>, key: Key): Promise<ReservedSandbox> {
  const began = world.stamp.now();
  const deadline = Date.parse(began) + PATIENCE_MS;
  const provisioning = { key, watcher: world.newToken(), began, deadline };
  let record = await world.records.find(key);
  while (Date.parse(world.stamp.now()) <= deadline) {
    const next = await advance(world, provisioning, record);
    if (next.status === 'ready' || isFailed(next, began)) return next;
    record = next;
  }
  throw new Fault('sandbox_not_ready', `${JSON.stringify(world.named(key))} is not ready after ${PATIENCE_MS} ms`);
}

/** Begins a start that is not under way, and does not wait for it. Another provisioner goes on with it. */
export async function beginStart<Key>(world: StartWorld<Key>, key: Key): Promise<void> {
  const began = world.stamp.now();
  const provisioning = { key, watcher: world.newToken(), began, deadline: Date.parse(began) };
  let record = await world.records.find(key);
  for (let steps = 0; steps < 3 && record?.status !== 'starting'; steps += 1) {
    record = await advance(world, provisioning, record);
    if (record.status === 'ready' || isFailed(record, began)) return;
  }
  if (record?.status !== 'starting' || record.watcher !== provisioning.watcher) return;
  await world.tasks.run(key, record.generation, { tokenSha256: world.sha256(record.token), archive: record.archive });
}

/** A failure that came while this provisioner waited is told to its call, too; an earlier one may be tried again. */
function isFailed(record: SandboxRecord, began: Instant): record is FailedSandbox {
  return record.status === 'failed' && record.retryAt > began;
}

/** One step: the record afterwards is ready or failed, or the next step continues with it. */
async function advance<Key>(
  world: StartWorld<Key>,
  provisioning: Provisioning<Key>,
  record: SandboxRecord | null,
): Promise<SandboxRecord> {
  switch (record?.status) {
    case undefined:
    case 'planned':
      return reserve(world, provisioning, { previous: record });
    case 'lost':
      // It may still run: a call found it unreachable, or its network was cut off.
      if (record.task !== null) await world.tasks.stop(record.task);
      return reserve(world, provisioning, { previous: record });
    case 'failed':
      return isFailed(record, provisioning.began) ? record : reserve(world, provisioning, { previous: record });
    case 'starting':
      return goOn(world, { ...provisioning, record });
    case 'ready': {
      const verdict = world.judge(record, world.stamp.now());
      if (verdict === 'ready') return record;
      const { status } = verdict === 'lost' ? { status: 'stopped' } : await world.tasks.status(record.task);
      // A call finds out what ECS has no time to say.
      if (status === 'running' || status === 'busy') return record;
      await world.records.lost(provisioning.key, record.generation);
      return { ...record, status: 'lost' };
    }
    default:
      return record satisfies never;
  }
}

interface Reservation {
  readonly previous: SandboxRecord | null;
  /** Of a further attempt. @default the first one, at once */
  readonly attempt?: Pick<SandboxStart, 'attempt' | 'since' | 'notBefore'>;
}

async function reserve<Key>(
  world: StartWorld<Key>,
  { key, watcher }: Provisioning<Key>,
  { previous, attempt }: Reservation,
): Promise<SandboxRecord> {
  const archive = archiveOf(world, previous?.packages ?? null);
  const network = await world.networkOf(key, previous);
  const at = world.stamp.now();
  const record = await world.records.reserve(key, previous?.generation ?? 0, {
    ...{ token: world.newToken(), archive, network, at },
    ...(attempt ?? { attempt: 1, since: at, notBefore: at }),
    ...{ watcher, watchedUntil: later(at, WATCH_MS) },
    ...(previous?.status === 'planned' && planOf(previous)),
  });
  if (record === null) throw new Fault('session_gone', `${JSON.stringify(world.named(key))} was deleted`);
  return record;
}

function planOf({ environment: id, packages }: Extract<SandboxRecord, { status: 'planned' }>): {
  plan?: OwnEnvironment;
} {
  return id === undefined ? {} : { plan: { id, packages } };
}

/** Whether nothing goes on with a start. */
export function isStale({ watchedUntil }: Pick<SandboxStart, 'watchedUntil'>, now: Instant, staleMs: number): boolean {
  return later(watchedUntil, staleMs) < now;
}

/** Watches a start that has no watcher, and else waits for its watcher. */
async function goOn<Key>(world: StartWorld<Key>, starting: Starting<Key>): Promise<SandboxRecord> {
  const { key, record, watcher } = starting;
  const now = world.stamp.now();
  if (record.watcher === watcher) return start(watching(world, starting), starting);
  if (isStale(record, now, world.staleMs)) return reserve(world, starting, { previous: record });
  if (record.watchedUntil < now) {
    const watch = { watcher, at: now, until: later(now, WATCH_MS) };
    return world.records.watch(key, record.generation, watch);
  }
  await world.pause(WAIT_MS);
  return (await world.records.find(key)) ?? record;
}

/** The same world, in which each pause also extends the watch. */
function watching<Key>(world: StartWorld<Key>, { key, record, watcher }: Starting<Key>): StartWorld<Key> {
  let { watchedUntil } = record;
  async function keepWatch(): Promise<void> {
    const at = world.stamp.now();
    if (watchedUntil > later(at, WATCH_MS / 2)) return;
    const until = later(at, WATCH_MS);
    const held = await world.records.watch(key, record.generation, { watcher, at, until });
    const isHeld = held.status === 'starting' && held.watcher === watcher && held.generation === record.generation;
    if (!isHeld) throw new Fault('sandbox_not_ready', `another process starts ${JSON.stringify(world.named(key))}`);
    ({ watchedUntil } = held);
  }
  return {
    ...world,
    async pause(ms) {
      for (let left = ms; left > 0; left -= 1000) {
        await world.pause(Math.min(left, 1000));
        await keepWatch();
      }
    },
  };
}

async function start<Key>(world: StartWorld<Key>, starting: Starting<Key>): Promise<SandboxRecord> {
  const { key, record } = starting;
  await world.pause(Date.parse(record.notBefore) - Date.parse(world.stamp.now()));
  const asked = world.stamp.now();
  const packages = await packagesOf(world, starting);
  if (packages.status === 'refused') return tryAgain(world, starting, { asked, reason: packages.reason });
  if (packages.status === 'failed') {
    const retryAt = later(packages.at, FAILURE_LASTS_MS);
    return world.records.failed(key, record.generation, { reason: explainFailure(packages.failure), retryAt });
  }
  return runTask(world, starting);
}

/** The packages are there before the sandbox starts: an idle sandbox costs, and ends itself. */
async function packagesOf<Key>(world: StartWorld<Key>, { record, deadline }: Starting<Key>) {
  const { archive, packages } = record;
  if (archive === null || packages === null) return { status: 'built' } as const;
  const found = await world.archives.find(archive);
  const now = world.stamp.now();
  if (found.status === 'built') return found;
  if (found.status === 'failed' && later(found.at, FAILURE_LASTS_MS) > now) return found;
  const built = await build(world, { archive, packages, found, deadline });
  return built.status === 'failed' ? { ...built, at: world.stamp.now() } : built;
}

async function runTask<Key>(world: StartWorld<Key>, starting: Starting<Key>): Promise<SandboxRecord> {
  const { key, record } = starting;
  const { generation, token, archive } = record;
  const asked = world.stamp.now();
  const run = await world.tasks.run(key, generation, { tokenSha256: world.sha256(token), archive });
  if (run.status === 'refused') return tryAgain(world, starting, { asked, reason: run.reason });
  const { task } = run;
  const look = () => world.tasks.status(task);
  const deadline = record.attempt === 1 ? later(asked, SLOW_START_MS) : later(record.since, ATTEMPTS_LAST_MS);
  const up = await awaitTask(world, { look, wanted: 'running', deadline: Date.parse(deadline), pollMs: POLL_MS });
  if (up?.status !== 'running') {
    await world.tasks.stop(task);
    return tryAgain(world, starting, { asked, reason: up?.status === 'stopped' ? up.reason : 'it did not come up' });
  }
  const at = world.stamp.now();
  const now = await world.records.ready(key, generation, { task, address: up.address, at });
  // The session was deleted meanwhile, or the start was given up.
  if (now.status !== 'ready' || now.task !== task) await world.tasks.stop(task);
  return now;
}

interface FailedAttempt {
  /** When ECS was asked. */
  readonly asked: Instant;
  /** For the operator: it may name parts of the account. */
  readonly reason: string;
}

/** Reserves the next attempt, or gives up. */
async function tryAgain<Key>(
  world: StartWorld<Key>,
  starting: Starting<Key>,
  failed: FailedAttempt,
): Promise<SandboxRecord> {
  const { key, record } = starting;
  const { attempt, generation } = record;
  // Before its first attempt a session may wait for packages.
  const since = attempt === 1 ? failed.asked : record.since;
  world.journal.line('sandbox start', {
    ...world.named(key),
    generation,
    attempt,
    outcome: 'failed',
    reason: failed.reason,
  });
  const now = world.stamp.now();
  const pauseMs = PAUSES_MS[attempt - 1];
  const next = pauseMs === undefined ? null : later(now, pauseMs);
  if (next !== null && next < later(since, ATTEMPTS_LAST_MS)) {
    const again = { attempt: attempt + 1, since, notBefore: next };
    return reserve(world, starting, { previous: record, attempt: again });
  }
  const seconds = Math.ceil((Date.parse(now) - Date.parse(since)) / 1000);
  const reason = world.notStarted(attempt, seconds);
  return world.records.failed(key, generation, { reason, retryAt: later(now, 1) });
}
