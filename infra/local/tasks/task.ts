/** A task from RunTask to STOPPED, and what DescribeTasks says of it. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerPart, TaskDefinitionPart } from '../template/parts.ts';
import type { Place } from './reach.ts';
import type { ContainerStart, RunningContainer, TaskRunner } from './runner.ts';
import type { TaskCredentials } from './task-credentials.ts';
import { FARGATE_DISK_BYTES, watchDisk } from './watch-disk.ts';

interface TaskRequest {
  readonly id: string;
  readonly arn: string;
  readonly clusterArn: string;
  readonly definition: TaskDefinitionPart;
  readonly container: ContainerPart;
  readonly host: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly overrides: unknown;
  readonly place: Place;
  readonly network: ContainerStart['network'];
  readonly startedBy: string | null;
  readonly group: string;
}

export interface Task {
  readonly request: TaskRequest;
  status: 'PROVISIONING' | 'PENDING' | 'RUNNING' | 'STOPPED';
  desired: 'RUNNING' | 'STOPPED';
  readonly createdAt: number;
  startedAt: number | null;
  stoppedAt: number | null;
  stop: Stop | null;
  exitCode: number | null;
  running: RunningContainer | null;
  /** Settles when the task is STOPPED and nothing of it is left. */
  readonly ended: Promise<void>;
}

interface Stop {
  readonly code: 'UserInitiated' | 'EssentialContainerExited' | 'TaskFailedToStart';
  readonly reason: string;
}

export interface TaskWorld {
  readonly runner: TaskRunner;
  /** Tasks' folders live here. */
  readonly folder: string;
  /** Null where no task has a role. */
  readonly credentials: TaskCredentials | null;
  /** How much a task may store. @default as much as on Fargate */
  readonly maxDiskBytes?: number | undefined;
  /** Between two looks at what a task stores; for tests. */
  readonly lookMs?: number | undefined;
  readonly write: (container: string, text: Uint8Array) => void;
  readonly report: (message: string) => void;
}

export function launchTask(request: TaskRequest, world: TaskWorld): Task {
  const { promise, resolve } = Promise.withResolvers<void>();
  const task: Task = {
    request,
    status: 'PROVISIONING',
    desired: 'RUNNING',
    createdAt: Date.now() / 1000,
    startedAt: null,
    stoppedAt: null,
    stop: null,
    exitCode: null,
    running: null,
    ended: promise,
  };
  void runToEnd(task, world).finally(resolve);
  return task;
}

async function runToEnd(task: Task, world: TaskWorld): Promise<void> {
  const taskDir = join(world.folder, task.request.id);
  try {
    await mkdir(taskDir, { recursive: true, mode: 0o700 });
    task.status = 'PENDING';
    task.running = await startContainer(task, taskDir, world);
    task.status = 'RUNNING';
    task.startedAt = Date.now() / 1000;
    if (task.desired === 'STOPPED') void task.running.stop();
    const leave = watchTask(task, taskDir, world);
    task.exitCode = await task.running.exited.finally(leave);
    task.stop ??= { code: 'EssentialContainerExited', reason: 'Essential container in task exited' };
  } catch (error) {
    const reason = `CannotStartContainerError: ${error instanceof Error ? error.message : String(error)}`;
    task.stop ??= { code: 'TaskFailedToStart', reason };
    world.report(`Task ${task.request.id} did not start: ${reason}`);
  }
  world.credentials?.forget(task.request.id);
  task.desired = 'STOPPED';
  task.status = 'STOPPED';
  task.stoppedAt = Date.now() / 1000;
  await removeFolder(taskDir, world);
}

/** On Fargate a write fails then. Here the task ends, because it could fill the disk of this machine. */
function watchTask(
  task: Task,
  taskDir: string,
  { maxDiskBytes = FARGATE_DISK_BYTES, lookMs, report }: TaskWorld,
): () => void {
  function full(): void {
    const reason = `it stored more than ${maxDiskBytes} bytes`;
    report(`Task ${task.request.id} is stopped: ${reason}. Start with --disk to allow more.`);
    task.stop ??= { code: 'EssentialContainerExited', reason };
    void task.running?.kill();
  }
  return watchDisk({ folder: taskDir, maxBytes: maxDiskBytes, full, lookMs });
}

async function startContainer(task: Task, taskDir: string, world: TaskWorld): Promise<RunningContainer> {
  const { id, container, definition, host, environment, network } = task.request;
  const { taskRoleArn: roleArn = null } = definition;
  const ofRole = roleArn === null ? {} : await world.credentials?.give({ taskId: id, roleArn });
  return world.runner.start({
    taskId: id,
    container,
    cpu: definition.cpu,
    memoryMb: definition.memoryMb,
    taskDir,
    host,
    network,
    environment: { ...environment, ...ofRole },
    write: (text) => world.write(container.name, text),
  });
}

/** A task's storage ends with it, as on Fargate. */
async function removeFolder(taskDir: string, world: TaskWorld): Promise<void> {
  try {
    await rm(taskDir, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    world.report(
      `The folder of a stopped task stays behind: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Returns at once; the task stops in its own time. */
export function stopTask(task: Task, reason: string): void {
  if (task.status === 'STOPPED') return;
  task.desired = 'STOPPED';
  task.stop ??= { code: 'UserInitiated', reason };
  void task.running?.stop();
}

export function describeTask(task: Task): Readonly<Record<string, unknown>> {
  const { request, stop } = task;
  const attachmentId = `eni-attach-${request.id}`;
  return {
    taskArn: request.arn,
    clusterArn: request.clusterArn,
    taskDefinitionArn: request.definition.arn,
    lastStatus: task.status,
    desiredStatus: task.desired,
    launchType: 'FARGATE',
    cpu: String(request.definition.cpu),
    memory: String(request.definition.memoryMb),
    group: request.group,
    ...given({ startedBy: request.startedBy, startedAt: task.startedAt, stoppedAt: task.stoppedAt }),
    ...(stop === null ? {} : { stopCode: stop.code, stoppedReason: stop.reason }),
    createdAt: task.createdAt,
    overrides: request.overrides,
    attachments: [
      {
        id: attachmentId,
        type: 'ElasticNetworkInterface',
        status: task.status === 'STOPPED' ? 'DELETED' : 'ATTACHED',
        details: [
          { name: 'subnetId', value: request.place.subnet },
          { name: 'privateIPv4Address', value: request.host },
        ],
      },
    ],
    containers: [
      {
        containerArn: `${request.arn}/${request.container.name}`,
        taskArn: request.arn,
        name: request.container.name,
        lastStatus: task.status,
        ...given({ exitCode: task.exitCode }),
        healthStatus: 'UNKNOWN',
        networkInterfaces: [{ attachmentId, privateIpv4Address: request.host }],
      },
    ],
  };
}

function given(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
