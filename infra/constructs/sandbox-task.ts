import { SANDBOX_PORT } from '#contract/hands.ts';
import { Aws, type RemovalPolicy, Names, Stack, Validations } from 'aws-cdk-lib';
import { CfnTaskDefinition, Cluster, ContainerInsights } from 'aws-cdk-lib/aws-ecs';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';
import { type SandboxImage, sandboxImageUri } from './sandbox-image.ts';
import type { SandboxNetwork } from './sandbox-network.ts';

export interface SandboxTaskProps {
  readonly network: SandboxNetwork;
  readonly image: SandboxImage;
  /** CPU units: 1024 are one vCPU. */
  readonly cpu: number;
  readonly memoryMb: number;
  readonly logRetention: RetentionDays;
  readonly removalPolicy: RemovalPolicy;
}

const CONTAINER = 'sandbox';
/** The root file system is read-only. Each of these is a VOLUME of the image, so that its owner is the agent. */
const WRITABLE = { workspace: '/workspace', tmp: '/tmp', home: '/home/agent' };
/** User and group `agent` of the image. */
const AGENT = '1000:1000';

/** The Fargate task in which an agent's tools run. It is untrusted: no role, no secret, no root (design §5). */
export class SandboxTask extends Construct {
  readonly #props: SandboxTaskProps;
  readonly #cluster: Cluster;
  readonly #executionRole: Role;
  readonly #definition: CfnTaskDefinition;

  constructor(scope: Construct, id: string, props: SandboxTaskProps) {
    super(scope, id);
    this.#props = props;
    this.#cluster = new Cluster(this, 'Cluster', {
      vpc: props.network.vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
    });
    Validations.of(this.#cluster).acknowledge({
      id: 'AwsSolutions-ECS4',
      reason:
        'Container Insights bills each short-lived task; duration and errors of tool calls are metrics of execute.',
    });
    this.#executionRole = this.#makeExecutionRole();
    this.#definition = this.#makeDefinition(sandboxImageUri(this, props.image, this.#executionRole), this.#logGroup());
  }

  /** Starting, watching and stopping sandboxes of this definition in this cluster, and nothing else of ECS. */
  grantRun(launcher: EntryFunction): void {
    const { network } = this.#props;
    const stack = Stack.of(this);
    const family = stack.formatArn({
      service: 'ecs',
      resource: 'task-definition',
      resourceName: `${this.#definition.family}:*`,
    });
    const tasks = stack.formatArn({ service: 'ecs', resource: 'task', resourceName: `${this.#cluster.clusterName}/*` });
    launcher.receive(
      {
        SANDBOX_CLUSTER: this.#cluster.clusterArn,
        SANDBOX_TASK_DEFINITION: this.#definition.ref,
        SANDBOX_CONTAINER: CONTAINER,
        SANDBOX_SUBNETS: network.vpc.selectSubnets(network.subnets).subnetIds.join(','),
        SANDBOX_SECURITY_GROUP: network.sandboxGroup.securityGroupId,
      },
      { actions: ['ecs:RunTask'], on: [family], when: { ArnEquals: { 'ecs:cluster': this.#cluster.clusterArn } } },
      { actions: ['ecs:DescribeTasks', 'ecs:StopTask'], on: [tasks] },
      {
        // RunTask may name any task role; that this is the only role the launcher may pass is what forbids it.
        actions: ['iam:PassRole'],
        on: [this.#executionRole.roleArn],
        when: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
      },
    );
    acknowledgePattern(
      launcher.role,
      family,
      'Every revision of one family: while a deployment replaces the revision, the old one is still started.',
    );
    acknowledgePattern(
      launcher.role,
      tasks,
      'Tasks get their ids when they start; the cluster holds nothing but sandboxes.',
    );
  }

  /** The platform pulls the image and writes the log with it; the container never sees its credentials. */
  #makeExecutionRole(): Role {
    return new Role(this, 'ExecutionRole', {
      assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com', {
        conditions: {
          StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID },
          ArnLike: { 'aws:SourceArn': Stack.of(this).formatArn({ service: 'ecs', resource: '*' }) },
        },
      }),
    });
  }

  #logGroup(): LogGroup {
    const { logRetention: retention, removalPolicy } = this.#props;
    const logGroup = new LogGroup(this, 'Log', { retention, removalPolicy });
    logGroup.grantWrite(this.#executionRole);
    return logGroup;
  }

  /** A CloudFormation resource, because CDK's FargateTaskDefinition gives every task a role. */
  #makeDefinition(image: string, logGroup: LogGroup): CfnTaskDefinition {
    const definition = new CfnTaskDefinition(this, 'Definition', {
      family: Names.uniqueResourceName(this, { maxLength: 60 }),
      requiresCompatibilities: ['FARGATE'],
      networkMode: 'awsvpc',
      runtimePlatform: { cpuArchitecture: 'ARM64', operatingSystemFamily: 'LINUX' },
      cpu: String(this.#props.cpu),
      memory: String(this.#props.memoryMb),
      executionRoleArn: this.#executionRole.roleArn,
      volumes: Object.keys(WRITABLE).map((name) => ({ name })),
      containerDefinitions: [
        {
          name: CONTAINER,
          image,
          essential: true,
          user: AGENT,
          readonlyRootFilesystem: true,
          linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
          mountPoints: Object.entries(WRITABLE).map(([sourceVolume, containerPath]) => ({
            sourceVolume,
            containerPath,
            readOnly: false,
          })),
          portMappings: [{ containerPort: SANDBOX_PORT, protocol: 'tcp' }],
          logConfiguration: {
            logDriver: 'awslogs',
            options: {
              'awslogs-group': logGroup.logGroupName,
              'awslogs-region': Aws.REGION,
              'awslogs-stream-prefix': CONTAINER,
            },
          },
        },
      ],
    });
    // RunTask may come at once: the platform needs its rights by then.
    definition.node.addDependency(this.#executionRole);
    return definition;
  }
}
