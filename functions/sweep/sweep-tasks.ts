/** Stops the tasks that nothing needs, and those that are too old; has taken over what is left in idle sandboxes. */
import type { HandKey, Instant } from '#contract/ids.ts';
import { judgeProxy, judgeTask, proxyOf, sandboxOf } from '#core/hands/stray-tasks.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { ClusterTask } from '#core/ports/sandboxes.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

type TasksWorld = Pick<
  SweepWorld,
  'cluster' | 'sandboxes' | 'wayOut' | 'harvesting' | 'sandboxAges' | 'pause' | 'journal'
>;

/** ECS stops 40 tasks a second for an account, and sessions that end need some of them. */
const BETWEEN_STOPS_MS = 100;
/** A page costs two of the 20 looks a second that ECS allows an account, and sandboxes that start need most of them. */
const BETWEEN_PAGES_MS = 250;

export async function sweepTasks(world: TasksWorld, now: Instant): Promise<void> {
  const up = new Set<number>();
  for await (const tasks of world.cluster.running()) {
    // A page has up to 100 tasks, and each look at a record takes some milliseconds.
    const judged = await Promise.all(tasks.map(async (task) => ({ task, verdict: await judge(world, task, now) })));
    for (const { task, verdict } of judged) {
      const proxy = proxyOf(task);
      if (proxy !== null && verdict?.status !== 'stray') up.add(proxy.slot.slot);
      if (verdict === null || verdict.status === 'needed') continue;
      if (verdict.status === 'idle') {
        await harvest(world, verdict);
        continue;
      }
      await stop(world, task, verdict);
      await world.pause(BETWEEN_STOPS_MS);
    }
    await world.pause(BETWEEN_PAGES_MS);
  }
  await keepUp(world, up);
}

/** The proxies that are to be up at any time. The function that is asked starts one where it finds none. */
async function keepUp({ wayOut, journal }: TasksWorld, up: ReadonlySet<number>): Promise<void> {
  for (let slot = 0; slot < (wayOut?.warm ?? 0); slot += 1) {
    if (up.has(slot)) continue;
    await wayOut?.keeping.keepUp({ slot }).catch((error: unknown) => {
      journal.logger.error('sweep', { egress_proxy: String(slot), error_class: errorClass(error) });
    });
  }
}

/** Null when it cannot be judged at this moment. */
async function judge({ sandboxes, wayOut, sandboxAges, journal }: TasksWorld, task: ClusterTask, now: Instant) {
  const [owner, proxy] = [sandboxOf(task), proxyOf(task)];
  try {
    if (proxy !== null) return judgeProxy(task, wayOut && (await wayOut.proxies.find(proxy.slot)), now);
    const record = owner === null ? null : await sandboxes.find(owner.hand);
    return judgeTask(task, record, { now, ...sandboxAges });
  } catch (error) {
    journal.logger.error('sweep', { task: task.task, error_class: errorClass(error) });
    return null;
  }
}

async function harvest(
  { harvesting, journal }: TasksWorld,
  { hand, generation }: { readonly hand: HandKey; readonly generation: number },
): Promise<void> {
  await harvesting.harvest(hand, generation).catch((error: unknown) => {
    journal.logger.error('sweep', { ...hand, error_class: errorClass(error) });
  });
}

async function stop(
  { cluster, sandboxes, journal: { logger } }: TasksWorld,
  task: ClusterTask,
  { why, isCurrent }: { readonly why: string; readonly isCurrent: boolean },
): Promise<void> {
  const owner = sandboxOf(task);
  try {
    // First, so that no call is sent to a sandbox that is about to stop.
    if (owner !== null && isCurrent) await sandboxes.lost(owner.hand, owner.generation);
    await cluster.stop(task.task);
    logger.warn('sweep', { task: task.task, started_by: task.startedBy, outcome: 'task_stopped', why });
  } catch (error) {
    // One task's trouble must not keep the others running; the next sweep tries it again.
    logger.error('sweep', { task: task.task, error_class: errorClass(error) });
  }
}
