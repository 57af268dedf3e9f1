/**
 * An environment's packages: the list, the name of their archive, and the one build that makes it. A build's name is made
 * of archive and attempt, so each process that needs an archive joins the build that is under way.
 */
import { PACKAGE_MANAGERS, type PackageFailure, type PackageList, type PackageSources } from '#contract/packages.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { FoundArchive, TaskStatus } from '#core/ports/sandboxes.ts';

export interface PackagePorts extends Pick<Ports, 'archives' | 'builds' | 'stamp' | 'pause' | 'sha256'> {
  readonly sources: PackageSources;
  /** Names the system that packages are installed on: what is made for one need not run on the next. */
  readonly system: string;
}

/** Changes whenever a build of the same list would make another archive. */
const FORMAT = 1;
/** A failed build is not tried again for so long. */
export const FAILURE_LASTS_MS = 300_000;
/** ECS allows 20 looks a second per account, and a build takes minutes. */
const POLL_MS = [100, 200, 400, 800, 1600, 2000] as const;
/** After a look that ECS refused because of the rate: a hundred sandboxes may start at once. */
const BUSY_MS = 5000;
/** ECS answers from copies that may not know a task which was started a moment ago. */
const UNKNOWN_MS = 60_000;

/** What is to be installed, each name once and in one order, so that equal environments share an archive. */
export function packageList(wanted: PackageList): PackageList | null {
  const { apt, cargo, gem, go, npm, pip } = wanted;
  const once = (names: readonly string[]): string[] => [...new Set(names)].toSorted();
  const list = { apt: once(apt), cargo: once(cargo), gem: once(gem), go: once(go), npm: once(npm), pip: once(pip) };
  return PACKAGE_MANAGERS.every((manager) => list[manager].length === 0) ? null : list;
}

/** The name under which these packages from these sources are kept; null for no packages. */
export function archiveOf(world: PackagePorts, packages: PackageList | null): string | null {
  if (packages === null) return null;
  const lists = PACKAGE_MANAGERS.map((manager) => [manager, packages[manager]]);
  const sources = Object.entries(world.sources).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return world.sha256(JSON.stringify([FORMAT, world.system, lists, sources]));
}

interface BuildOrder {
  readonly archive: string;
  readonly packages: PackageList;
  readonly found: FoundArchive;
  /** The caller waits until then; the build goes on. Epoch milliseconds. */
  readonly deadline: number;
}

type Built =
  | { readonly status: 'built' }
  | { readonly status: 'failed'; readonly failure: PackageFailure }
  /** ECS does not start the build. */
  | { readonly status: 'refused'; readonly reason: string };

/** Builds an archive, or joins its build. */
export async function build(world: PackagePorts, wanted: BuildOrder): Promise<Built> {
  const { archive, packages, found } = wanted;
  const attempt = found.status === 'failed' ? found.failure.attempt + 1 : 1;
  const url = await world.archives.order(archive, { attempt, packages, sources: world.sources });
  const run = await world.builds.run(archive, attempt, url);
  if (run.status === 'refused') return run;
  const look = () => world.builds.status(run.task);
  const ended = await awaitTask(world, { look, wanted: 'stopped', deadline: wanted.deadline, pollMs: POLL_MS });
  if (ended === null) throw new Fault('sandbox_not_ready', 'the packages are still being installed');
  const outcome = await world.archives.find(archive);
  if (outcome.status === 'built') return outcome;
  if (outcome.status === 'failed' && outcome.failure.attempt >= attempt) return outcome;
  // The build was killed. Without this failure the next attempt would have its name, and would join a dead build.
  const failure = {
    attempt,
    manager: null,
    message: `The build ended without a result (${ended.status === 'stopped' ? ended.reason : 'its task is unknown'}).`,
  };
  await world.archives.fail(archive, failure);
  return { status: 'failed', failure };
}

interface TaskWait {
  readonly look: () => Promise<TaskStatus>;
  readonly wanted: 'running' | 'stopped';
  /** Epoch milliseconds. */
  readonly deadline: number;
  /** Between two looks; the last one repeats. */
  readonly pollMs: readonly number[];
}

/** The status of a task that is as wanted, has stopped, or stays unknown; null at the deadline. */
export async function awaitTask(
  { stamp, pause }: Pick<Ports, 'stamp' | 'pause'>,
  { look, wanted, deadline, pollMs }: TaskWait,
): Promise<Exclude<TaskStatus, { status: 'starting' | 'busy' }> | null> {
  const unknownUntil = Date.parse(stamp.now()) + UNKNOWN_MS;
  for (let looks = 0; Date.parse(stamp.now()) <= deadline; looks += 1) {
    const task = await look();
    if (task.status === 'stopped' || (task.status === 'running' && wanted === 'running')) return task;
    if (task.status === 'unknown' && Date.parse(stamp.now()) > unknownUntil) return task;
    await pause(task.status === 'busy' ? BUSY_MS : (pollMs[Math.min(looks, pollMs.length - 1)] ?? 0));
  }
  return null;
}

/** The text that the model reads. */
export function explainFailure({ manager, message }: PackageFailure): string {
  const who = manager === null ? '' : `${manager} failed. `;
  return (
    `The packages of this environment could not be installed, so there is no sandbox. ${who}It said:\n${message}\n` +
    'This call had no effect. A later call tries again after some minutes; other packages need another environment.'
  );
}
