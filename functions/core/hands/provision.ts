/**
 * Makes sure that a hand has a sandbox. A generation is reserved by one conditional write, and its task is started
 * under a name made of hand and generation, so a second provisioner finds the first one's work. One provisioner
 * watches a start and asks ECS; the others wait for what it writes into the record.
 */
import type { OwnEnvironment } from '#contract/entries.ts';
import { handOfCall, type ProvisionInput, type Provisioned } from '#contract/run.ts';
import type { HandKey, Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import {
  archiveOf,
  awaitTask,
  build,
  explainFailure,
  FAILURE_LASTS_MS,
  type PackagePorts,
} from '#core/hands/packages.ts';
import { isAlive } from '#core/hands/is-alive.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ReservedSandbox, SandboxRecord, SandboxStart } from '#core/ports/sandboxes.ts';
import { later } from '#core/ports/stamp.ts';

/** `newToken` makes the bearer token of a sandbox. */
export type ProvisionWorld = PackagePorts & Pick<Ports, 'sandboxes' | 'tasks' | 'newToken' | 'journal'>;

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
/** A start that had no watcher for so long belongs to a turn that has ended. Its task is the sweep's. */
const STALE_MS = 60_000;
/** Packages take long. Below the function's own 15 minutes; a later provisioner joins the same build. */
const PATIENCE_MS = 840_000;

interface Provisioning {
  readonly hand: HandKey;
  /** Names this invocation among the provisioners of the hand. */
  readonly watcher: string;
  readonly began: Instant;
  readonly deadline: number;
}

type StartingSandbox = ReservedSandbox & SandboxStart;
interface Starting extends Provisioning {
  readonly record: StartingSandbox;
}

export async function provision(world: ProvisionWorld, input: ProvisionInput): Promise<Provisioned> {
  const hand = handOfCall(input);
  const began = world.stamp.now();
  const deadline = Date.parse(began) + PATIENCE_MS;
  const provisioning = { hand, watcher: world.newToken(), began, deadline };
  let record = await world.sandboxes.find(hand);
  while (Date.parse(world.stamp.now()) <= deadline) {
    const next = await advance(world, provisioning, record);
    // `execute` tells a failure: its text must not become data of the state machine.
    if (next.status === 'ready' || isFailed(next, began)) return { generation: next.generation };
    record = next;
  }
  throw new Fault('sandbox_not_ready', `no sandbox for session ${hand.session} after ${PATIENCE_MS} ms`);
}

/** A failure that came while this provisioner waited is told to its call, too; an earlier one may be tried again. */
function isFailed(record: SandboxRecord, began: Instant): boolean {
  return record.status === 'failed' && record.retryAt > began;
}

/** One step: the record afterwards is ready or failed, or the next step continues with it. */
async function advance(
  world: ProvisionWorld,
  provisioning: Provisioning,
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
      if (isAlive(record, world.stamp.now())) return record;
      const { status } = await world.tasks.status(record.task);
      // A call finds out what ECS has no time to say.
      if (status === 'running' || status === 'busy') return record;
      await world.sandboxes.lost(provisioning.hand, record.generation);
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

async function reserve(
  world: ProvisionWorld,
  { hand, watcher }: Provisioning,
  { previous, attempt }: Reservation,
): Promise<SandboxRecord> {
  const archive = archiveOf(world, previous?.packages ?? null);
  const at = world.stamp.now();
  const record = await world.sandboxes.reserve(hand, previous?.generation ?? 0, {
    ...{ token: world.newToken(), archive, at },
    ...(attempt ?? { attempt: 1, since: at, notBefore: at }),
    ...{ watcher, watchedUntil: later(at, WATCH_MS) },
    ...(previous?.status === 'planned' && planOf(previous)),
  });
  if (record === null) throw new Fault('session_gone', `session ${hand.session} was deleted`);
  return record;
}

function planOf({ environment: id, packages }: Extract<SandboxRecord, { status: 'planned' }>): {
  plan?: OwnEnvironment;
} {
  return id === undefined ? {} : { plan: { id, packages } };
}

/** Whether nothing goes on with a start. */
export function isStale({ watchedUntil }: Pick<SandboxStart, 'watchedUntil'>, now: Instant): boolean {
  return later(watchedUntil, STALE_MS) < now;
}

/** Watches a start that has no watcher, and else waits for its watcher. */
async function goOn(world: ProvisionWorld, starting: Starting): Promise<SandboxRecord> {
  const { hand, record, watcher } = starting;
  const now = world.stamp.now();
  if (record.watcher === watcher) return start(watching(world, starting), starting);
  if (isStale(record, now)) return reserve(world, starting, { previous: record });
  if (record.watchedUntil < now) {
    const watch = { watcher, at: now, until: later(now, WATCH_MS) };
    return world.sandboxes.watch(hand, record.generation, watch);
  }
  await world.pause(WAIT_MS);
  return (await world.sandboxes.find(hand)) ?? record;
}

/** The same world, in which each pause also extends the watch. */
function watching(world: ProvisionWorld, { hand, record, watcher }: Starting): ProvisionWorld {
  let { watchedUntil } = record;
  async function keepWatch(): Promise<void> {
    const at = world.stamp.now();
    if (watchedUntil > later(at, WATCH_MS / 2)) return;
    const until = later(at, WATCH_MS);
    const held = await world.sandboxes.watch(hand, record.generation, { watcher, at, until });
    const isHeld = held.status === 'starting' && held.watcher === watcher && held.generation === record.generation;
    if (!isHeld) throw new Fault('sandbox_not_ready', `another process starts the sandbox of ${hand.session}`);
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

async function start(world: ProvisionWorld, starting: Starting): Promise<SandboxRecord> {
  const { hand, record } = starting;
  await world.pause(Date.parse(record.notBefore) - Date.parse(world.stamp.now()));
  const asked = world.stamp.now();
  const packages = await packagesOf(world, starting);
  if (packages.status === 'refused') return tryAgain(world, starting, { asked, reason: packages.reason });
  if (packages.status === 'failed') {
    const retryAt = later(packages.at, FAILURE_LASTS_MS);
    return world.sandboxes.failed(hand, record.generation, { reason: explainFailure(packages.failure), retryAt });
  }
  return startTask(world, starting);
}

/** The packages are there before the sandbox starts: an idle sandbox costs, and ends itself. */
async function packagesOf(world: ProvisionWorld, { record, deadline }: Starting) {
  const { archive, packages } = record;
  if (archive === null || packages === null) return { status: 'built' } as const;
  const found = await world.archives.find(archive);
  const now = world.stamp.now();
  if (found.status === 'built') return found;
  if (found.status === 'failed' && later(found.at, FAILURE_LASTS_MS) > now) return found;
  const built = await build(world, { archive, packages, found, deadline });
  return built.status === 'failed' ? { ...built, at: world.stamp.now() } : built;
}

async function startTask(world: ProvisionWorld, starting: Starting): Promise<SandboxRecord> {
  const { hand, record } = starting;
  const { generation, token, archive } = record;
  const asked = world.stamp.now();
  const run = await world.tasks.run(hand, generation, { tokenSha256: world.sha256(token), archive });
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
  const now = await world.sandboxes.ready(hand, generation, { task, address: up.address, at });
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
async function tryAgain(world: ProvisionWorld, starting: Starting, failed: FailedAttempt): Promise<SandboxRecord> {
  const { hand, record } = starting;
  const { attempt, generation } = record;
  // Before its first attempt a session may wait for packages.
  const since = attempt === 1 ? failed.asked : record.since;
  world.journal.line('sandbox start', { ...hand, generation, attempt, outcome: 'failed', reason: failed.reason });
  const now = world.stamp.now();
  const pauseMs = PAUSES_MS[attempt - 1];
  const next = pauseMs === undefined ? null : later(now, pauseMs);
  if (next !== null && next < later(since, ATTEMPTS_LAST_MS)) {
    const again = { attempt: attempt + 1, since, notBefore: next };
    return reserve(world, starting, { previous: record, attempt: again });
  }
  const seconds = Math.ceil((Date.parse(now) - Date.parse(since)) / 1000);
  const reason = notStarted(attempt, seconds);
  return world.sandboxes.failed(hand, generation, { reason, retryAt: later(now, 1) });
}

/** The text that the model reads. */
function notStarted(attempts: number, seconds: number): string {
  const tried = attempts === 1 ? 'One attempt' : `${attempts} attempts`;
  return (
    `The sandbox could not be started. ${tried} in ${seconds} seconds failed. ` +
    'This call had no effect. The next call tries again. Files of an earlier sandbox, if there was one, are gone.'
  );
}
