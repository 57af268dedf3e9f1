/** Sandboxes as Fargate tasks. */
import {
  ConflictException,
  DescribeTasksCommand,
  InvalidParameterException,
  RunTaskCommand,
  StopTaskCommand,
  type ECSClient,
  type Failure,
  type Task,
} from '@aws-sdk/client-ecs';
import { SANDBOX_PORT } from '#contract/hands.ts';
import { Fault } from '#core/errors.ts';
import type { Tasks, TaskStatus } from '#core/ports.ts';

export interface EcsTasksOptions {
  readonly ecs: ECSClient;
  readonly cluster: string;
  readonly taskDefinition: string;
  readonly container: string;
  readonly subnets: readonly string[];
  readonly securityGroup: string;
}

export function createTasks(options: EcsTasksOptions): Tasks {
  const { ecs, cluster } = options;
  return {
    async run(session, generation, tokenSha256) {
      const { tasks, failures } = await ecs
        .send(
          new RunTaskCommand({
            cluster,
            taskDefinition: options.taskDefinition,
            launchType: 'FARGATE',
            count: 1,
            // A repeat of this call returns the task it started: that makes a crash after it harmless.
            clientToken: `${session}-${generation}`,
            startedBy: session,
            enableExecuteCommand: false,
            networkConfiguration: {
              awsvpcConfiguration: {
                subnets: [...options.subnets],
                securityGroups: [options.securityGroup],
                assignPublicIp: 'DISABLED',
              },
            },
            overrides: {
              containerOverrides: [
                { name: options.container, environment: [{ name: 'SANDBOX_TOKEN_SHA256', value: tokenSha256 }] },
              ],
            },
          }),
        )
        .catch(startedBefore);
      const arn = tasks?.[0]?.taskArn;
      if (arn === undefined) {
        throw new Fault('sandbox_not_ready', `ECS started no task: ${failures?.[0]?.reason ?? 'no reason given'}`);
      }
      return arn;
    },
    async status(task) {
      const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: [task] })).catch(notReady);
      return statusOf(tasks?.[0]);
    },
    async stop(task) {
      await ecs.send(new StopTaskCommand({ cluster, task, reason: 'the session was deleted' })).catch(endedBefore);
    },
  };
}

function statusOf(task: Task | undefined): TaskStatus {
  if (task === undefined) return { status: 'unknown' };
  if (task.lastStatus === 'RUNNING') {
    const ip = addressOf(task);
    return ip === undefined ? { status: 'starting' } : { status: 'running', address: `${ip}:${SANDBOX_PORT}` };
  }
  const ending = ['DEACTIVATING', 'STOPPING', 'DEPROVISIONING', 'STOPPED', 'DELETED'];
  if (ending.includes(task.lastStatus ?? '')) return { status: 'stopped', reason: task.stopCode ?? 'stopped' };
  return { status: 'starting' };
}

function addressOf(task: Task): string | undefined {
  const details = task.attachments?.flatMap((attachment) => attachment.details ?? []) ?? [];
  return details.find((detail) => detail.name === 'privateIPv4Address')?.value;
}

/** The same start was asked for before, of an older task definition: its task is the one. */
function startedBefore(cause: unknown): { tasks?: Task[]; failures?: Failure[] } {
  const [taskArn] = cause instanceof ConflictException ? (cause.resourceIds ?? []) : [];
  return taskArn === undefined ? notReady(cause) : { tasks: [{ taskArn }] };
}

/** ECS forgets a task some time after its end, and calls its name invalid then. */
function endedBefore(cause: unknown): void {
  if (cause instanceof InvalidParameterException) return;
  throw new Fault('sandbox_not_released', 'ECS did not stop the task', { cause });
}

function notReady(cause: unknown): never {
  throw new Fault('sandbox_not_ready', 'ECS did not answer', { cause });
}
