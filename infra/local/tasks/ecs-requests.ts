/** What ECS calls may ask here, and what IAM is asked for them. Anything else in a request has no meaning on one machine. */
import * as z from 'zod';
import type { Access } from '../aws/service.ts';
import { AwsFault } from '../aws/wire.ts';
import type { TaskDefinitionPart, Template } from '../template/parts.ts';

const Pair = z.object({ name: z.string(), value: z.string() });

export const RunTask = z.object({
  cluster: z.string().default('default'),
  taskDefinition: z.string(),
  count: z.int().default(1),
  clientToken: z.string().max(64).optional(),
  startedBy: z
    .string()
    .max(128)
    .regex(/^[\w/-]*$/)
    .optional(),
  group: z.string().optional(),
  launchType: z.string().optional(),
  enableExecuteCommand: z.boolean().default(false),
  tags: z.array(z.object({ key: z.string(), value: z.string().optional() })).default([]),
  networkConfiguration: z.object({
    awsvpcConfiguration: z.object({
      subnets: z.array(z.string()).min(1),
      securityGroups: z.array(z.string()).default([]),
      assignPublicIp: z.enum(['ENABLED', 'DISABLED']).default('DISABLED'),
    }),
  }),
  overrides: z
    .object({
      containerOverrides: z.array(z.object({ name: z.string(), environment: z.array(Pair).default([]) })).default([]),
      taskRoleArn: z.string().optional(),
      executionRoleArn: z.string().optional(),
    })
    .default({ containerOverrides: [] }),
});
export type RunTask = z.infer<typeof RunTask>;

export const DescribeTasks = z.object({
  cluster: z.string().default('default'),
  tasks: z.array(z.string()).min(1).max(100),
});
export const ListTasks = z.object({
  cluster: z.string().default('default'),
  desiredStatus: z.enum(['RUNNING', 'STOPPED']).default('RUNNING'),
  startedBy: z.string().max(128).optional(),
  maxResults: z.int().min(1).max(100).default(100),
  nextToken: z.string().optional(),
});
export type ListTasks = z.infer<typeof ListTasks>;
export const StopTask = z.object({
  cluster: z.string().default('default'),
  task: z.string(),
  reason: z.string().optional(),
});

type EcsTemplate = Pick<Template, 'tasks' | 'region' | 'account'>;
type Context = Access['context'];

/** Besides RunTask itself: every role which the task will have must be one that the caller may pass to ECS. */
export function runTaskAccesses(template: EcsTemplate, input: RunTask): readonly Access[] {
  const definition = findDefinition(template, input.taskDefinition);
  const context = inCluster(template, input.cluster);
  const running = { ...context, 'ecs:enable-execute-command': [String(input.enableExecuteCommand)] };
  const tagging = { ...context, 'ecs:CreateAction': ['RunTask'] };
  const roles = [
    input.overrides.executionRoleArn ?? definition.executionRoleArn,
    input.overrides.taskRoleArn ?? definition.taskRoleArn,
  ].filter((role) => role != null);
  return [
    access('ecs:RunTask', definition.arn, running),
    ...input.tags.slice(0, 1).map(() => access('ecs:TagResource', taskArnOf(template, input.cluster, '*'), tagging)),
    ...roles.map((role) => access('iam:PassRole', role, { 'iam:PassedToService': ['ecs-tasks.amazonaws.com'] })),
  ];
}

/** IAM knows no resource for the list of a cluster's tasks: the condition names the cluster. */
export function listTasksAccess(template: EcsTemplate, { cluster }: ListTasks): Access {
  return access('ecs:ListTasks', '*', inCluster(template, cluster));
}

export function taskAccess(
  template: EcsTemplate,
  action: string,
  { cluster, task }: { readonly cluster: string; readonly task: string },
): Access {
  const arn = task.startsWith('arn:') ? task : taskArnOf(template, cluster, task);
  return access(action, arn, inCluster(template, cluster));
}

export function taskArnOf(template: EcsTemplate, cluster: string, id: string): string {
  return `${clusterArnOf(template, cluster).replace(':cluster/', ':task/')}/${id}`;
}

export function clusterArnOf({ region, account }: EcsTemplate, cluster: string): string {
  return cluster.startsWith('arn:') ? cluster : `arn:aws:ecs:${region}:${account}:cluster/${cluster}`;
}

/** By ARN, by `family:revision` or by family alone. */
export function findDefinition({ tasks }: EcsTemplate, name: string): TaskDefinitionPart {
  const definition = tasks.find(({ arn, family }) => arn === name || family === name || arn.endsWith(`/${name}`));
  if (definition === undefined) throw new AwsFault('ClientException', 'TaskDefinition not found.');
  return definition;
}

function inCluster(template: EcsTemplate, cluster: string): Context {
  return { 'ecs:cluster': [clusterArnOf(template, cluster)] };
}

function access(action: string, resource: string, context: Context): Access {
  return { action, resource, context };
}
