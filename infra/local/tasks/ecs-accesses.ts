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
  const cluster = inCluster(template, input.cluster);
  const roles = [
    input.overrides.executionRoleArn ?? definition.executionRoleArn,
    input.overrides.taskRoleArn ?? definition.taskRoleArn,
  ].filter((role) => role != null);
  const running = access('ecs:RunTask', definition.arn, {
    ...cluster,
    'ecs:enable-execute-command': [String(input.enableExecuteCommand)],
  });
  const tagging = access(
    'ecs:TagResource',
    `${clusterArnOf(template, input.cluster).replace(':cluster/', ':task/')}/*`,
    {
      ...cluster,
      'ecs:CreateAction': ['RunTask'],
    },
  );
  const passing = roles.map((role) =>
    access('iam:PassRole', role, { 'iam:PassedToService': ['ecs-tasks.amazonaws.com'] }),
  );
  return [running, ...(input.tags.length === 0 ? [] : [tagging]), ...passing];
}

export function taskAccesses(
  template: EcsTemplate,
  action: string,
  { cluster, tasks }: { readonly cluster: string; readonly tasks: readonly string[] },
): readonly Access[] {
  const prefix = clusterArnOf(template, cluster).replace(':cluster/', ':task/');
  const arns = tasks.map((task) => (task.startsWith('arn:') ? task : `${prefix}/${task}`));
  return arns.map((arn) => access(action, arn, inCluster(template, cluster)));
}

export function listAccesses(template: EcsTemplate, cluster: string): readonly Access[] {
  return [access('ecs:ListTasks', '*', inCluster(template, cluster))];
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
