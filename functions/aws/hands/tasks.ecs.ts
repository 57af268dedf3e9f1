/** Sandboxes, and builds of packages, as Fargate tasks. */
import {
  ConflictException,
  DescribeTasksCommand,
  InvalidParameterException,
  ListTasksCommand,
  RunTaskCommand,
  StopTaskCommand,
  type ECSClient,
  type RunTaskCommandOutput,
  type Task,
} from '@aws-sdk/client-ecs';
import { EGRESS_PORT } from '#contract/egress.ts';
import { SANDBOX_PORT } from '#contract/hands.ts';
import { mainHand, type HandKey } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type {
  Cluster,
  ClusterTask,
  PackageBuilds,
  ProxySlot,
  Starter,
  TaskRun,
  Tasks,
  TaskStatus,
} from '#core/ports/sandboxes.ts';
import { sha256 } from '#aws/stamp.ts';

/** The place of one kind of task. */
interface EcsTasksOptions {
  readonly ecs: ECSClient;
  readonly cluster: string;
  readonly taskDefinition: string;
  readonly container: string;
  readonly subnets: readonly string[];
  readonly securityGroup: string;
}

/** Egress proxies run in subnets with a route to the internet, and need a public address to use it. */
export function createProxyTasks(options: EcsTasksOptions, warm: number): Starter<ProxySlot> {
  return {
    run: ({ slot }, generation) =>
      startTask(options, {
        name: `egress-${slot}-${generation}`,
        startedBy: `egress/${slot}/${generation}`,
        publicAddress: true,
        // One that is to be up at any time does not end by itself.
        environment: slot < warm ? { EGRESS_IDLE_SECONDS: String(FOR_EVER_SECONDS) } : {},
      }),
    status: (task) => taskStatus(options, task, EGRESS_PORT),
    stop: (task) => stopTask(options.ecs, options.cluster, task),
  };
}

const FOR_EVER_SECONDS = 20 * 86_400;

export function createTasks(options: EcsTasksOptions, idleSeconds: string): Tasks {
  const { ecs, cluster } = options;
  return {
    run: (hand, generation, { tokenSha256, archive }) =>
      startTask(options, {
        ...nameOf(hand, generation),
        publicAddress: false,
        environment: {
          SANDBOX_TOKEN_SHA256: tokenSha256,
          SANDBOX_IDLE_SECONDS: idleSeconds,
          ...(archive !== null && { SANDBOX_PACKAGES: archive }),
        },
      }),
    status: (task) => taskStatus(options, task),
    stop: (task) => stopTask(ecs, cluster, task),
  };
}

/** `startedBy` is read by `core/hands/stray-tasks.ts`. ECS takes names of at most 64 characters. */
function nameOf({ session, hand }: HandKey, generation: number): Pick<TaskStart, 'name' | 'startedBy'> {
  if (hand === mainHand(session).hand)
    return { name: `${session}-${generation}`, startedBy: `${session}/${generation}` };
  const startedBy = `${session}/${hand}/${generation}`;
  return { name: sha256(startedBy), startedBy };
}

export function createCluster(ecs: ECSClient, cluster: string): Cluster {
  async function* tasks(desiredStatus: 'RUNNING' | 'STOPPED'): AsyncGenerator<readonly ClusterTask[]> {
    let nextToken: string | undefined;
    do {
      const page = await ecs.send(new ListTasksCommand({ cluster, desiredStatus, nextToken })).catch(notReady);
      yield (await describe(ecs, cluster, page.taskArns ?? [])).flatMap(clusterTask);
      ({ nextToken } = page);
    } while (nextToken !== undefined);
  }
  return {
    running: () => tasks('RUNNING'),
    stopping: () => tasks('STOPPED'),
    stop: (task) => stopTask(ecs, cluster, task),
  };
}

async function describe(ecs: ECSClient, cluster: string, tasks: string[]): Promise<readonly Task[]> {
  if (tasks.length === 0) return [];
  const described = await ecs.send(new DescribeTasksCommand({ cluster, tasks })).catch(notReady);
  return described.tasks ?? [];
}

/** ECS lists a stopped task for an hour. */
function clusterTask({ taskArn, startedBy = '', createdAt, lastStatus }: Task): readonly ClusterTask[] {
  if (taskArn === undefined || createdAt === undefined || lastStatus === 'STOPPED') return [];
  return [{ task: taskArn, startedBy, createdAt: createdAt.toISOString() }];
}

async function stopTask(ecs: ECSClient, cluster: string, task: string): Promise<void> {
  const command = new StopTaskCommand({ cluster, task, reason: 'its session needs it no longer' });
  await ecs.send(command).catch(endedBefore);
}

/** Builds of packages run in subnets with a route to the internet, and need a public address to use it. */
export function createPackageBuilds(options: EcsTasksOptions): PackageBuilds {
  return {
    run: (archive, attempt, orderUrl) =>
      startTask(options, {
        // Two starts at once differ in the order's signature; ECS then answers the task of the first.
        name: `${archive.slice(0, 48)}-${attempt}`,
        startedBy: `packages/${archive}`,
        publicAddress: true,
        environment: { PACKAGES_ORDER_URL: orderUrl },
      }),
    status: (task) => taskStatus(options, task),
  };
}

interface TaskStart {
  /** A repeat under this name returns the task of the first start, so a crash after it does no harm. */
  readonly name: string;
  readonly startedBy: string;
  readonly publicAddress: boolean;
  readonly environment: Readonly<Record<string, string>>;
}

async function startTask(options: EcsTasksOptions, start: TaskStart): Promise<TaskRun> {
  const environment = Object.entries(start.environment).map(([name, value]) => ({ name, value }));
  const command = new RunTaskCommand({
    cluster: options.cluster,
    taskDefinition: options.taskDefinition,
    launchType: 'FARGATE',
    count: 1,
    clientToken: start.name,
    startedBy: start.startedBy,
    enableExecuteCommand: false,
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: [...options.subnets],
        securityGroups: [options.securityGroup],
        assignPublicIp: start.publicAddress ? 'ENABLED' : 'DISABLED',
      },
    },
    overrides: { containerOverrides: [{ name: options.container, environment }] },
  });
  return options.ecs.send(command).then(runOf, refusalOf);
}

function runOf({ tasks, failures }: RunTaskCommandOutput): TaskRun {
  const task = tasks?.[0]?.taskArn;
  const reason = failures?.[0]?.reason ?? 'no reason given';
  return task === undefined ? { status: 'refused', reason } : { status: 'started', task };
}

/** Whatever ECS objects to, another attempt may succeed: a limit passes, and an operator mends a right or a subnet. */
function refusalOf(cause: unknown): TaskRun {
  // A start under this name was made before with other parameters: ECS names its task.
  const [task] = cause instanceof ConflictException ? (cause.resourceIds ?? []) : [];
  if (task !== undefined) return { status: 'started', task };
  return { status: 'refused', reason: cause instanceof Error ? `${cause.name}: ${cause.message}` : 'unknown' };
}

async function taskStatus({ ecs, cluster }: EcsTasksOptions, task: string, port = SANDBOX_PORT): Promise<TaskStatus> {
  try {
    const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: [task] }));
    return statusOf(tasks?.[0], port);
  } catch (cause) {
    return cause instanceof Error && cause.name === 'ThrottlingException' ? { status: 'busy' } : notReady(cause);
  }
}

function statusOf(task: Task | undefined, port: number): TaskStatus {
  if (task === undefined) return { status: 'unknown' };
  if (task.lastStatus === 'RUNNING') {
    const ip = addressOf(task);
    return ip === undefined ? { status: 'starting' } : { status: 'running', address: `${ip}:${port}` };
  }
  const ending = ['DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED', 'DELETED'];
  if (ending.includes(task.lastStatus ?? '')) return { status: 'stopped', reason: reasonOf(task) };
  return { status: 'starting' };
}

/** ECS's own words: why it stopped, what it says of the container (out of memory, say), and the exit code. */
function reasonOf({ stopCode, containers }: Task): string {
  const [container] = containers ?? [];
  const code = container?.exitCode === undefined ? undefined : `exit code ${container.exitCode}`;
  return [stopCode ?? 'stopped', container?.reason, code].filter((part) => part !== undefined).join(', ');
}

function addressOf(task: Task): string | undefined {
  const details = task.attachments?.flatMap((attachment) => attachment.details ?? []) ?? [];
  return details.find((detail) => detail.name === 'privateIPv4Address')?.value;
}

/** ECS forgets a task some time after its end, and calls its name invalid then. */
function endedBefore(cause: unknown): void {
  if (cause instanceof InvalidParameterException) return;
  throw new Fault('sandbox_not_released', 'ECS did not stop the task', { cause });
}

function notReady(cause: unknown): never {
  throw new Fault('sandbox_not_ready', 'ECS did not answer', { cause });
}
