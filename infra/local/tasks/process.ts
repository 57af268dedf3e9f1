/** Runs the container's server as a plain child process: no walls at all. For machines that have nothing better. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { diesWithThis } from '../processes.ts';
import { contain, signal, startChild } from './child.ts';
import type { TaskLimit, TaskLimits } from './task-limits.ts';
import { nodeBinary, ripgrepBinary } from './programs.ts';
import { commandOf, listenAt, type ContainerStart, type RunningContainer, type TaskRunner } from './runner.ts';
import { acceptAt } from './socket-pipe.ts';

export const NO_WALLS =
  'Sandboxes are plain processes: whatever the agent runs can read and change everything that you can.';

export function createProcessRunner(limits: TaskLimits | null): TaskRunner {
  return {
    kind: 'process',
    start: (start) => startProcess(start, limits?.limit(start.taskId, start.memoryMb) ?? null),
  };
}

async function startProcess(start: ContainerStart, limit: TaskLimit | null): Promise<RunningContainer> {
  const { container, taskDir, host } = start;
  if (container.imageDir === null) throw new Error(`Container ${container.name} has no build folder to run from.`);
  const [home, workspace, mnt] = [join(taskDir, 'home'), join(taskDir, 'workspace'), join(taskDir, 'mnt')];
  for (const folder of [home, workspace, join(mnt, 'session/outputs'), join(mnt, 'user')])
    await mkdir(folder, { recursive: true });
  const { nodeOptions, program } = commandOf(container);
  const [command, args] = diesWithThis(nodeBinary(), [...nodeOptions, join(container.imageDir, program)]);
  const child = startChild({
    command,
    arguments: args,
    environment: {
      PATH: searchPath(),
      HOME: home,
      LANG: 'C.UTF-8',
      ...start.environment,
      SANDBOX_WORKDIR: workspace,
      SANDBOX_MNT: mnt,
      PACKAGES_DIR: join(taskDir, 'packages'),
      SANDBOX_RELAY_HOST: host,
      ...listenAt(start, `${host}:${container.port}`),
    },
    workDir: workspace,
    limit,
    write: start.write,
  });
  const kill = (): void => killGroup(child.process.pid);
  // What the server started shares its process group and must not outlive it.
  const exited = child.exited.finally(kill);
  return contain(acceptAt(start, exited), { ask: () => signal(child.process.pid, 'SIGTERM'), kill });
}

/** The machine's own ripgrep goes first. */
function searchPath(): string {
  const ripgrep = ripgrepBinary();
  const own = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  return ripgrep === null ? own : `${own}:${dirname(ripgrep)}`;
}

function killGroup(pid: number | undefined): void {
  if (pid !== undefined) signal(-pid, 'SIGKILL');
}
