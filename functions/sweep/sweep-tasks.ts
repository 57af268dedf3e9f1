/** Stops the tasks that nothing needs, and those that are too old; has taken over what is left in idle sandboxes. */
import type { HandKey, Instant } from '#contract/ids.ts';
import { judgeTask, sandboxOf } from '#core/hands/stray-tasks.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { ClusterTask } from '#core/ports/sandboxes.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

type TasksWorld = Pick<SweepWorld, 'cluster' | 'sandboxes' | 'harvesting' | 'sandboxAges' | 'pause' | 'journal'>;

/** ECS stops 40 tasks a second for an account, and sessions that end need some of them. */
const BETWEEN_STOPS_MS = 100;
/** A page costs two of the 20 looks a second that ECS allows an account, and sandboxes that start need most of them. */
const BETWEEN_PAGES_MS = 250;

export async function sweepTasks(world: TasksWorld, now: Instant): Promise<void> {
  for await (const tasks of world.cluster.running()) {
    // A page has up to 100 tasks, and each look at a record takes some milliseconds.
    const judged = await Promise.all(tasks.map(async (task) => ({ task, verdict: await judge(world, task, now) })));
    for (const { task, verdict } of judged) {
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
}

/** Null when it cannot be judged at this moment. */
async function judge({ sandboxes, sandboxAges, journal }: TasksWorld, task: ClusterTask, now: Instant) {
  const owner = sandboxOf(task);
  try {
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
