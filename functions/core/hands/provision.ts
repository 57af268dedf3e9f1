/**
 * Makes sure that a session has a sandbox. Single-flight: a generation is reserved by one conditional write, and its
 * task is started under a name made of session and generation, so a second provisioner finds the first one's work.
 */
import type { ProvisionInput, Provisioned } from '#contract/run.ts';
import type { SessionId } from '#contract/ids.ts';
import type { PackageFailure } from '#contract/packages.ts';
import { Fault } from '#core/ports/errors.ts';
import { archiveOf, awaitTask, build, explainFailure, isFresh, type PackagePorts } from '#core/hands/packages.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ReservedSandbox, SandboxRecord } from '#core/ports/sandboxes.ts';

/** `newToken` makes the bearer token of a sandbox. */
export type ProvisionWorld = PackagePorts & Pick<Ports, 'sandboxes' | 'tasks' | 'newToken'>;

/** Between two looks at a starting task; a Fargate task needs 20–60 s, and ECS allows 20 looks a second per account. */
const POLL_MS = [50, 100, 200, 400, 800, 1000] as const;
/** A task that has not come up by then will not. */
const PATIENCE_MS = 180_000;
/** Packages take longer. Below the function's own 15 minutes; a later provisioner joins the same build. */
const PACKAGES_PATIENCE_MS = 840_000;
/** A sandbox used within this time is taken to be alive without asking ECS. */
const FRESH_MS = 60_000;

export async function provision(world: ProvisionWorld, input: ProvisionInput): Promise<Provisioned> {
  let record = await world.sandboxes.find(input.session);
  const patienceMs = (record?.packages ?? null) === null ? PATIENCE_MS : PACKAGES_PATIENCE_MS;
  const deadline = Date.parse(world.stamp.now()) + patienceMs;
  for (;;) {
    const usable = await bringUp(world, input.session, record, deadline);
    // `execute` tells a failure: its text must not become data of the state machine.
    if (usable.status === 'ready' || usable.status === 'failed') return { generation: usable.generation };
    if (Date.parse(world.stamp.now()) > deadline) {
      throw new Fault('sandbox_not_ready', `no sandbox for session ${input.session} after ${patienceMs} ms`);
    }
    record = usable;
  }
}

/** One try: the record afterwards is ready or failed, or the next try continues with it. */
async function bringUp(
  world: ProvisionWorld,
  session: SessionId,
  record: SandboxRecord | null,
  deadline: number,
): Promise<SandboxRecord> {
  switch (record?.status) {
    case undefined:
    case 'planned':
    case 'lost':
      return reserve(world, session, record);
    case 'failed':
      return isFresh(world, record.failedAt) ? record : reserve(world, session, record);
    case 'starting':
      return start(world, { session, record }, deadline);
    case 'ready': {
      const idleMs = Date.parse(world.stamp.now()) - Date.parse(record.lastUsedAt);
      if (idleMs < FRESH_MS) return record;
      const task = await world.tasks.status(record.task);
      return task.status === 'running' ? record : abandon(world, { session, record });
    }
    default:
      return record satisfies never;
  }
}

function reserve(world: ProvisionWorld, session: SessionId, record: SandboxRecord | null): Promise<SandboxRecord> {
  const archive = archiveOf(world, record?.packages ?? null);
  const start = { token: world.newToken(), archive, at: world.stamp.now() };
  return world.sandboxes.reserve(session, record?.generation ?? 0, start);
}

interface Starting {
  readonly session: SessionId;
  readonly record: ReservedSandbox;
}

async function start(world: ProvisionWorld, starting: Starting, deadline: number): Promise<SandboxRecord> {
  const { archive, packages } = starting.record;
  if (archive === null || packages === null) return recordTask(world, starting, await comeUp(world, starting));
  const found = await world.archives.find(archive);
  if (found.status === 'built') return recordTask(world, starting, await comeUp(world, starting));
  if (found.status === 'failed' && isFresh(world, found.at)) return fail(world, starting, found.failure);
  // The packages are installed while the sandbox starts, so both take as long as the longer one.
  const order = { archive, packages, found, deadline };
  const [up, failure] = await Promise.all([comeUp(world, starting), build(world, order)]);
  if (failure === null) return recordTask(world, starting, up);
  // The task is stopped first: a crash in between leaves a record that is tried again, and no unknown task.
  if (up.status !== 'gone') await world.tasks.stop(up.task);
  return fail(world, starting, failure);
}

type Up =
  | { readonly status: 'running'; readonly task: string; readonly address: string }
  | { readonly status: 'gone' }
  | { readonly status: 'late'; readonly task: string };

async function comeUp(world: ProvisionWorld, { session, record }: Starting): Promise<Up> {
  const { generation, token, archive } = record;
  const task = await world.tasks.run(session, generation, { tokenSha256: world.sha256(token), archive });
  const deadline = Date.parse(world.stamp.now()) + PATIENCE_MS;
  const look = () => world.tasks.status(task);
  const found = await awaitTask(world, { look, wanted: 'running', deadline, pollMs: POLL_MS });
  if (found === null) return { status: 'late', task };
  return found.status === 'running' ? { ...found, task } : { status: 'gone' };
}

async function recordTask(world: ProvisionWorld, { session, record }: Starting, up: Up): Promise<SandboxRecord> {
  switch (up.status) {
    case 'running': {
      const { task, address } = up;
      return world.sandboxes.ready(session, record.generation, { task, address, at: world.stamp.now() });
    }
    case 'gone':
      return abandon(world, { session, record });
    case 'late':
      throw new Fault('sandbox_not_ready', `no sandbox for session ${session} after ${PATIENCE_MS} ms`);
    default:
      return up satisfies never;
  }
}

function fail(world: ProvisionWorld, { session, record }: Starting, failure: PackageFailure): Promise<SandboxRecord> {
  const why = { reason: explainFailure(failure), at: world.stamp.now() };
  return world.sandboxes.failed(session, record.generation, why);
}

async function abandon(world: ProvisionWorld, { session, record }: Starting): Promise<SandboxRecord> {
  await world.sandboxes.lost(session, record.generation);
  return { ...record, status: 'lost' };
}
