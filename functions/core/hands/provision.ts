/**
 * Makes sure that a session has a sandbox. Single-flight: a generation is reserved by one conditional write, and its
 * task is started under a name made of session and generation, so a second provisioner finds the first one's work.
 */
import type { ProvisionInput, Provisioned } from '#contract/run.ts';
import type { SessionId } from '#contract/ids.ts';
import { Fault } from '#core/errors.ts';
import type { Pause, SandboxRecord, SandboxRecords, Stamp, Tasks } from '#core/ports.ts';

export interface ProvisionWorld {
  readonly records: SandboxRecords;
  readonly tasks: Tasks;
  readonly stamp: Stamp;
  readonly pause: Pause;
  /** A new bearer token and its SHA-256 come from here: the core has no randomness. */
  readonly newToken: () => string;
  readonly sha256: (text: string) => string;
}

/** Between two looks at a starting task; a Fargate task needs 20–60 s, and ECS allows 20 looks a second per account. */
const POLL_MS = [50, 100, 200, 400, 800] as const;
const LAST_POLL_MS = 1000;
/** A task that has not come up by then will not. */
const PATIENCE_MS = 180_000;
/** ECS answers from copies that may not know a task which was started a moment ago. */
const UNKNOWN_MS = 60_000;
/** A sandbox used within this time is taken to be alive without asking ECS. */
const FRESH_MS = 60_000;

export async function provision(world: ProvisionWorld, input: ProvisionInput): Promise<Provisioned> {
  const deadline = Date.parse(world.stamp.now()) + PATIENCE_MS;
  for (let record = await world.records.find(input.session); ;) {
    const usable = await bringUp(world, input.session, record, deadline);
    if (usable.status === 'ready') return { generation: usable.generation };
    if (Date.parse(world.stamp.now()) > deadline) {
      throw new Fault('sandbox_not_ready', `no sandbox for session ${input.session} after ${PATIENCE_MS} ms`);
    }
    record = usable;
  }
}

/** One try: the record afterwards is ready, or tells the next try where to go on. */
async function bringUp(
  world: ProvisionWorld,
  session: SessionId,
  record: SandboxRecord | null,
  deadline: number,
): Promise<SandboxRecord> {
  if (record === null || record.status === 'lost') {
    return world.records.reserve(session, record?.generation ?? 0, world.newToken(), world.stamp.now());
  }
  if (record.status === 'starting') return start(world, session, record, deadline);
  const idleMs = Date.parse(world.stamp.now()) - Date.parse(record.lastUsedAt);
  if (idleMs < FRESH_MS) return record;
  const task = await world.tasks.status(record.task);
  return task.status === 'running' ? record : abandon(world, session, record);
}

async function start(
  world: ProvisionWorld,
  session: SessionId,
  record: SandboxRecord,
  deadline: number,
): Promise<SandboxRecord> {
  const task = await world.tasks.run(session, record.generation, world.sha256(record.token));
  const unknownUntil = Date.parse(world.stamp.now()) + UNKNOWN_MS;
  for (let look = 0; Date.parse(world.stamp.now()) <= deadline; look += 1) {
    const now = await world.tasks.status(task);
    if (now.status === 'running') {
      return world.records.ready(session, record.generation, { task, address: now.address, at: world.stamp.now() });
    }
    const vanished = now.status === 'unknown' && Date.parse(world.stamp.now()) > unknownUntil;
    if (now.status === 'stopped' || vanished) return abandon(world, session, record);
    await world.pause(POLL_MS[look] ?? LAST_POLL_MS);
  }
  return record;
}

async function abandon(world: ProvisionWorld, session: SessionId, record: SandboxRecord): Promise<SandboxRecord> {
  await world.records.lost(session, record.generation);
  return { generation: record.generation, token: record.token, lastUsedAt: record.lastUsedAt, status: 'lost' };
}
