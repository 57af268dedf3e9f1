import { AGENT_USER } from '#contract/hands.ts';
import { Aws, Names, Stack } from 'aws-cdk-lib';
import { CfnTaskDefinition, type Cluster } from 'aws-cdk-lib/aws-ecs';
import { type IPrincipal, type Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';

export interface TaskPlatform {
  readonly cluster: Cluster;
  readonly executionRole: Role;
  readonly logGroup: LogGroup;
}

export interface ConfinedTaskProps {
  readonly cpu: number;
  readonly memoryMb: number;
  readonly container: Pick<
    CfnTaskDefinition.ContainerDefinitionProperty,
    'name' | 'image' | 'command' | 'portMappings' | 'environment'
  > & { readonly name: string };
  /** `server` begins with START_SERVER, which leaves root; the others are the one user of their container. */
  readonly runsAs: 'server' | 'agent' | 'proxy';
  /** A task for untrusted code has none. */
  readonly role?: Role;
}

/** The root file system is read-only. Each of these is a VOLUME of the image, so that its owner is the agent. */
const WRITABLE = {
  workspace: '/workspace',
  mnt: '/mnt',
  tmp: '/tmp',
  home: '/home/agent',
  packages: '/opt/packages',
};
/**
 * Of the capabilities that a container begins with, a sandbox keeps those with which START_SERVER changes the user, and
 * one that lets the container's first process pass SIGTERM on to the server. Fargate takes capabilities away by name
 * and gives back none.
 */
const KEPT = ['SETUID', 'SETGID', 'SETPCAP', 'KILL'];
const GIVEN = [
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'NET_RAW'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
];
const USERS = {
  server: { user: '0:0', drop: GIVEN.filter((capability) => !KEPT.includes(capability)), writable: WRITABLE },
  agent: { user: `${AGENT_USER}:${AGENT_USER}`, drop: ['ALL'], writable: WRITABLE },
  proxy: { user: `${AGENT_USER}:${AGENT_USER}`, drop: ['ALL'], writable: {} },
} as const;

/**
 * A task that runs as an ordinary user without capabilities. It is a CloudFormation resource, because CDK's
 * FargateTaskDefinition gives every task a role, which untrusted code must not have.
 */
export function confinedTask(scope: Construct, platform: TaskPlatform, props: ConfinedTaskProps): CfnTaskDefinition {
  const { user, drop, writable } = USERS[props.runsAs];
  const definition = new CfnTaskDefinition(scope, 'Definition', {
    family: Names.uniqueResourceName(scope, { maxLength: 60 }),
    requiresCompatibilities: ['FARGATE'],
    networkMode: 'awsvpc',
    runtimePlatform: { cpuArchitecture: 'ARM64', operatingSystemFamily: 'LINUX' },
    cpu: String(props.cpu),
    memory: String(props.memoryMb),
    executionRoleArn: platform.executionRole.roleArn,
    ...(props.role && { taskRoleArn: props.role.roleArn }),
    volumes: Object.keys(writable).map((name) => ({ name })),
    containerDefinitions: [
      {
        ...props.container,
        essential: true,
        user,
        readonlyRootFilesystem: true,
        linuxParameters: { initProcessEnabled: true, capabilities: { drop: [...drop] } },
        mountPoints: Object.entries(writable).map(([sourceVolume, containerPath]) => ({
          sourceVolume,
          containerPath,
          readOnly: false,
        })),
        logConfiguration: {
          logDriver: 'awslogs',
          options: {
            'awslogs-group': platform.logGroup.logGroupName,
            'awslogs-region': Aws.REGION,
            'awslogs-stream-prefix': props.container.name,
          },
        },
      },
    ],
  });
  // A task may start as soon as the definition exists, and the platform needs the rights of this role for that.
  definition.node.addDependency(platform.executionRole);
  return definition;
}

/** Lets a function start tasks of a definition, in the cluster of the platform only. */
export function grantRunTask(launcher: EntryFunction, { cluster }: TaskPlatform, { family }: CfnTaskDefinition): void {
  const resourceName = `${family}:*`;
  const revisions = Stack.of(cluster).formatArn({ service: 'ecs', resource: 'task-definition', resourceName });
  const when = { ArnEquals: { 'ecs:cluster': cluster.clusterArn } };
  launcher.receive({}, { actions: ['ecs:RunTask'], on: [revisions], when });
  acknowledgePattern(
    launcher.role,
    revisions,
    'Every revision of one family: while a deployment replaces the revision, functions still start the old one.',
  );
}

/** What may have a role of a task: ECS, for tasks of this account. */
export function ofTasks(scope: Construct): IPrincipal {
  return new ServicePrincipal('ecs-tasks.amazonaws.com', {
    conditions: {
      StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
      ArnLike: { 'aws:SourceArn': Stack.of(scope).formatArn({ service: 'ecs', resource: '*' }) },
    },
  });
}
