/** Ends every task of the cluster, because CloudFormation cannot delete a cluster, or a VPC, in which tasks are left. */
import { Fault } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Cluster, ClusterTask } from '#core/ports/sandboxes.ts';

export interface EndAllWorld extends Pick<Ports, 'stamp' | 'pause'> {
  readonly cluster: Cluster;
}

/** A task has 30 seconds to end by itself, and its network interface is removed after that. */
const PATIENCE_MS = 600_000;
const POLL_MS = 3000;

/** Returns when no task is left. A start that was under way may appear later, so the list is read until it is empty. */
export async function endAll({ cluster, stamp, pause }: EndAllWorld): Promise<void> {
  const deadline = Date.parse(stamp.now()) + PATIENCE_MS;
  for (;;) {
    const running = await allOf(cluster.running());
    for (const { task } of running) await cluster.stop(task);
    if (running.length === 0 && (await allOf(cluster.stopping())).length === 0) return;
    if (Date.parse(stamp.now()) > deadline) throw new Fault('sandbox_not_released', 'some tasks did not end');
    await pause(POLL_MS);
  }
}

async function allOf(pages: AsyncIterable<readonly ClusterTask[]>): Promise<readonly ClusterTask[]> {
  const all: ClusterTask[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}
