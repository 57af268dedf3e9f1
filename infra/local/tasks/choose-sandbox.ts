import type { ContainerPart } from '../template/parts.ts';
import { bubblewrapUsable, createBubblewrapRunner } from './bubblewrap.ts';
import { createDockerRunner, dockerUsable, type DockerRunnerOptions } from './docker.ts';
import { createTaskLimits } from './task-limits.ts';
import { createProcessRunner, NO_WALLS } from './process.ts';
import type { SandboxKind, TaskRunner, Usable } from './runner.ts';

interface SandboxChoice {
  /** Asked for by name; null takes the best that works here. */
  readonly asked: SandboxKind | null;
  /** Whether a real model answers, so that the agent runs commands that this repository did not write. */
  readonly realModel: boolean;
}

type Probes = Readonly<Record<'bwrap' | 'docker', () => Promise<Usable>>>;

const PROBES: Probes = { bwrap: bubblewrapUsable, docker: dockerUsable };

/** @throws when what was asked for does not work here, or when nothing with walls does and a real model is in use */
export async function chooseSandbox(
  { asked, realModel }: SandboxChoice,
  probes: Probes = PROBES,
): Promise<SandboxKind> {
  if (asked === 'process') return 'process';
  if (asked !== null) {
    const found = await probes[asked]();
    if (!found.usable) throw new Error(`The sandbox ${asked} was asked for, but ${found.reason}.`);
    return asked;
  }
  const reasons: string[] = [];
  for (const kind of ['bwrap', 'docker'] as const) {
    const found = await probes[kind]();
    if (found.usable) return kind;
    reasons.push(found.reason);
  }
  if (!realModel) return 'process';
  throw new Error(
    `No sandbox works here: ${reasons.join('; ')}. ${NO_WALLS} Where that is acceptable, ask for it with --sandbox process.`,
  );
}

export async function createTaskRunner(
  kind: SandboxKind,
  containers: readonly ContainerPart[],
  options: DockerRunnerOptions,
): Promise<TaskRunner> {
  switch (kind) {
    case 'bwrap':
      return createBubblewrapRunner(memoryLimits(options.report));
    case 'docker':
      return createDockerRunner(containers, options);
    case 'process':
      options.report(NO_WALLS);
      return createProcessRunner(memoryLimits(options.report));
    default:
      return kind satisfies never;
  }
}

function memoryLimits(report: (message: string) => void) {
  const limits = createTaskLimits();
  if (limits === null)
    report('The memory of sandboxes is not limited: that needs root and a kernel that offers cgroups for memory.');
  return limits;
}
