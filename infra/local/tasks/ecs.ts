/** The ECS calls that provisioning makes, over the tasks that run on this machine. */
import { randomInt, randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { jsonService, operation } from '../aws/json-service.ts';
import { AwsFault } from '../aws/wire.ts';
import type { Service } from '../aws/service.ts';
import type { Template } from '../template/parts.ts';
import {
  clusterArnOf,
  DescribeTasks,
  findDefinition,
  ListTasks,
  listTasksAccess,
  RunTask,
  runTaskAccesses,
  StopTask,
  taskAccess,
  taskArnOf,
} from './ecs-requests.ts';
import { leads, type Networks, type Place, portsBeyond } from './reach.ts';
import { createRequestRates, type RatedOperation } from './request-rates.ts';
import type { ContainerStart } from './runner.ts';
import { describeTask, launchTask, stopTask, type Task, type TaskWorld } from './task.ts';

/** A stopped task can be described for an hour, as in ECS. */
const REMEMBERED_S = 3600;
const MAX_OVERRIDES_CHARS = 8192;

const NO_CAPACITY = 'Capacity is unavailable at this time. Please try again later or in a different availability zone';

interface EcsOptions extends TaskWorld {
  /** How many tasks without the network of this machine it can hold: programs of the agent run in those alone. */
  readonly maxTasks: number;
  readonly template: Pick<Template, 'region' | 'account'> & Networks;
}

export interface EcsService extends Service {
  close(): Promise<void>;
  /** Kills one task (by ARN), or all of them, the way a machine fails. Resolves when they are STOPPED. */
  lose(taskArn?: string): Promise<number>;
}

interface Ecs {
  readonly options: EcsOptions;
  readonly tasks: Map<string, Task>;
  /** Client token → what it was given for, and the task it made. */
  readonly tokens: Map<string, { readonly asked: string; readonly task: Task }>;
}

export function createEcsService(options: EcsOptions): EcsService {
  const ecs: Ecs = { options, tasks: new Map(), tokens: new Map() };
  const { template } = options;
  const take = createRequestRates();
  const rated = (name: RatedOperation, answer: () => unknown): unknown => {
    take(name);
    return answer();
  };
  const operations = {
    RunTask: operation(RunTask, (input) => ({
      accesses: runTaskAccesses(template, input),
      run: () => rated('RunTask', () => runTask(ecs, input)),
    })),
    DescribeTasks: operation(DescribeTasks, ({ cluster, tasks }) => ({
      accesses: tasks.map((task) => taskAccess(template, 'ecs:DescribeTasks', { cluster, task })),
      run: () => rated('DescribeTasks', () => describeTasks(ecs, tasks)),
    })),
    ListTasks: operation(ListTasks, (input) => ({
      accesses: [listTasksAccess(template, input)],
      run: () => rated('ListTasks', () => listTasks(ecs, input)),
    })),
    StopTask: operation(StopTask, ({ cluster, task, reason }) => ({
      accesses: [taskAccess(template, 'ecs:StopTask', { cluster, task })],
      run: () => rated('StopTask', () => stop(ecs, task, reason)),
    })),
  };
  return {
    ...jsonService({ name: 'ecs', operations, invalid: 'InvalidParameterException' }),
    lose: (taskArn) => lose(ecs, taskArn),
    close: () => endAll(ecs),
  };
}

function runTask(ecs: Ecs, input: RunTask): unknown {
  const asked = JSON.stringify(input);
  const earlier = input.clientToken === undefined ? undefined : ecs.tokens.get(input.clientToken);
  if (earlier !== undefined) {
    if (earlier.asked !== asked)
      throw new AwsFault('ConflictException', 'the client token was used with other parameters', 400, {
        resourceIds: [earlier.task.request.arn],
      });
    return { tasks: [describeTask(earlier.task)], failures: [] };
  }
  if (input.count !== 1) throw invalidParameter('count must be 1 here');
  if (JSON.stringify(input.overrides).length > MAX_OVERRIDES_CHARS)
    throw invalidParameter('overrides have at most 8192 characters');
  forgetStopped(ecs);
  const held = [...ecs.tasks.values()].filter(holdsRoom).length;
  // The client token stays unused, as in ECS: the same start may be asked for again.
  const isHeld = networkOf(ecs, input, null) !== 'machine';
  if (isHeld && held >= ecs.options.maxTasks) return { tasks: [], failures: [{ reason: NO_CAPACITY }] };
  const task = launch(ecs, input);
  ecs.tasks.set(task.request.arn, task);
  if (input.clientToken !== undefined) ecs.tokens.set(input.clientToken, { asked, task });
  return { tasks: [describeTask(task)], failures: [] };
}

function launch(ecs: Ecs, input: RunTask): Task {
  const definition = findDefinition(ecs.options.template, input.taskDefinition);
  const [container, ...others] = definition.containers;
  if (container === undefined || others.length > 0)
    throw invalidParameter('a task definition has exactly one container here');
  const override = input.overrides.containerOverrides.find(({ name }) => name === container.name);
  if (override === undefined && input.overrides.containerOverrides.length > 0) {
    throw invalidParameter(
      `Override for container named ${input.overrides.containerOverrides[0]?.name} is not a container in the TaskDefinition.`,
    );
  }
  const id = randomUUID().replaceAll('-', '');
  const host = pickAddress(new Set([...ecs.tasks.values()].map((task) => task.request.host)));
  const request = {
    id,
    arn: taskArnOf(ecs.options.template, input.cluster, id),
    clusterArn: clusterArnOf(ecs.options.template, input.cluster),
    definition,
    container,
    host,
    environment: {
      ...container.environment,
      ...Object.fromEntries((override?.environment ?? []).map(({ name, value }) => [name, value])),
    },
    overrides: input.overrides,
    place: placeOf(input),
    network: networkOf(ecs, input, host),
    startedBy: input.startedBy ?? null,
    group: input.group ?? `family:${definition.family}`,
  };
  return launchTask(request, ecs.options);
}

/**
 * A loopback address of its own for a task, as a task in a VPC has one. Every address in 127.0.0.0/8 is this machine;
 * the range keeps clear of those that distributions use themselves.
 */
function pickAddress(taken: ReadonlySet<string>): string {
  const address = `127.${randomInt(64, 128)}.${randomInt(0, 256)}.${randomInt(1, 255)}`;
  return taken.has(address) ? pickAddress(taken) : address;
}

/** A task is as far from the internet here as its subnet's routes keep it there. */
function networkOf(ecs: Ecs, input: RunTask, host: string | null): ContainerStart['network'] {
  const { template } = ecs.options;
  const { subnets: asked, assignPublicIp } = input.networkConfiguration.awsvpcConfiguration;
  const ways = asked.map((id) => template.subnets.find((subnet) => subnet.id === id)?.wayOut ?? null);
  const reaches = (way: 'nat' | 'gateway' | null) =>
    way === 'nat' || (way === 'gateway' && assignPublicIp === 'ENABLED');
  if (ways.every(reaches)) {
    const hosts = template.subnets.find(({ id }) => id === asked[0])?.hosts ?? null;
    return hosts === null ? 'machine' : { hosts };
  }
  const from = placeOf(input);
  const ports = portsBeyond(template, from);
  return ports.length === 0 || host === null
    ? 'none'
    : { ports, dial: (to, port) => dial(ecs, { from, host, to, port }) };
}

/** ECS chooses one of the subnets. */
function placeOf({ networkConfiguration: { awsvpcConfiguration: asked } }: RunTask): Place {
  return { subnet: asked.subnets[0] ?? '', groups: asked.securityGroups };
}

interface Dialled {
  readonly from: Place;
  /** The caller's address. */
  readonly host: string;
  readonly to: string;
  readonly port: number;
}

function dial(ecs: Ecs, { from, host: localAddress, to, port }: Dialled): Socket | null {
  const task = [...ecs.tasks.values()].find(({ status, request }) => status === 'RUNNING' && request.host === to);
  if (task === undefined || task.request.container.port !== port) return null;
  if (!leads(ecs.options.template, from, task.request.place, port)) return null;
  return connect({ host: to, port, localAddress, allowHalfOpen: true });
}

function holdsRoom({ status, request }: Task): boolean {
  return status !== 'STOPPED' && request.network !== 'machine';
}

function describeTasks(ecs: Ecs, names: readonly string[]): unknown {
  const found = names.map((name) => ({ name, task: findTask(ecs, name) }));
  return {
    tasks: found.flatMap(({ task }) => (task === null ? [] : [describeTask(task)])),
    failures: found.flatMap(({ name, task }) => (task === null ? [{ arn: name, reason: 'MISSING' }] : [])),
  };
}

/** Page by page in the order of their starts; a token names the first task of the next page. */
function listTasks(ecs: Ecs, { cluster, desiredStatus, startedBy, maxResults, nextToken }: ListTasks): unknown {
  const clusterArn = clusterArnOf(ecs.options.template, cluster);
  const found = [...ecs.tasks.values()].filter(
    ({ desired, request }) =>
      desired === desiredStatus &&
      request.clusterArn === clusterArn &&
      (startedBy === undefined || request.startedBy === startedBy),
  );
  const from = nextToken === undefined ? 0 : found.findIndex(({ request }) => request.id === nextToken);
  if (from === -1) throw invalidParameter('Invalid token');
  const next = found[from + maxResults];
  return {
    taskArns: found.slice(from, from + maxResults).map(({ request }) => request.arn),
    ...(next !== undefined && { nextToken: next.request.id }),
  };
}

function stop(ecs: Ecs, name: string, reason = 'Task stopped by user'): unknown {
  const task = findTask(ecs, name);
  if (task === null) throw invalidParameter('The referenced task was not found.');
  stopTask(task, reason);
  return { task: describeTask(task) };
}

async function lose(ecs: Ecs, taskArn: string | undefined): Promise<number> {
  const lost = [...ecs.tasks.values()].filter(
    ({ running, status, request }) =>
      running !== null && status === 'RUNNING' && (taskArn ?? request.arn) === request.arn,
  );
  await Promise.all(lost.map(({ running, ended }) => running?.kill().then(() => ended)));
  return lost.length;
}

async function endAll(ecs: Ecs): Promise<void> {
  const tasks = [...ecs.tasks.values()];
  for (const task of tasks) stopTask(task, 'The runtime stops');
  await Promise.all(tasks.map(({ ended }) => ended));
}

/** A task is named by its ARN or by its id. */
function findTask(ecs: Ecs, name: string): Task | null {
  return ecs.tasks.get(name) ?? [...ecs.tasks.values()].find(({ request }) => request.id === name) ?? null;
}

function forgetStopped(ecs: Ecs): void {
  const before = Date.now() / 1000 - REMEMBERED_S;
  for (const [arn, { stoppedAt }] of ecs.tasks) if (stoppedAt !== null && stoppedAt < before) ecs.tasks.delete(arn);
  for (const [token, { task }] of ecs.tokens) if (!ecs.tasks.has(task.request.arn)) ecs.tokens.delete(token);
}

function invalidParameter(message: string): AwsFault {
  return new AwsFault('InvalidParameterException', message);
}
