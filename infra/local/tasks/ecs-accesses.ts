/** What IAM is asked for each ECS call. */
import { AwsFault } from '../aws/wire.ts';
import type { Access } from '../aws/service.ts';
import type { TaskDefinitionPart, Template } from '../template/parts.ts';
import type { RunTask } from './ecs-requests.ts';

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
