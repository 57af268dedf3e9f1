import { SANDBOX_PORT, START_SERVER } from '#contract/hands.ts';
import { type RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { type CfnTaskDefinition, Cluster, ContainerInsights } from 'aws-cdk-lib/aws-ecs';
import { Role } from 'aws-cdk-lib/aws-iam';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { confinedTask, grantRunTask, ofTasks, type TaskPlatform } from './confined-task.ts';
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
  readonly idleMinutes: number;
  readonly logRetention: RetentionDays;
  readonly removalPolicy: RemovalPolicy;
}

const CONTAINER = 'sandbox';

/** The Fargate task in which an agent's tools run. It is untrusted: no role, no secret. */
export class SandboxTask extends Construct {
  readonly #props: SandboxTaskProps;
  readonly #definition: CfnTaskDefinition;
  /** Builds of packages run on it too. */
  readonly platform: TaskPlatform;

  constructor(scope: Construct, id: string, props: SandboxTaskProps) {
    super(scope, id);
    this.#props = props;
    const cluster = new Cluster(this, 'Cluster', {
      vpc: props.network.vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
    });
    Validations.of(cluster).acknowledge({
      id: 'AwsSolutions-ECS4',
      reason:
        'Container Insights bills each short-lived task; duration and errors of tool calls are metrics of execute.',
    });
    const executionRole = this.#makeExecutionRole();
    this.platform = { cluster, executionRole, logGroup: this.#logGroup(executionRole) };
    this.#definition = this.#makeDefinition(
      sandboxImageUri(this, { image: props.image, stage: 'sandbox', puller: executionRole }),
    );
  }

  /** For starting, watching and stopping sandboxes of this definition in this cluster, and nothing else of ECS. */
  grantRun(launcher: EntryFunction): void {
    const { network } = this.#props;
    const { executionRole } = this.platform;
    this.grantStop(launcher);
    grantRunTask(launcher, this.platform, this.#definition);
    launcher.receive(
      {
        SANDBOX_TASK_DEFINITION: this.#definition.ref,
        SANDBOX_CONTAINER: CONTAINER,
        SANDBOX_IDLE_SECONDS: String(this.#props.idleMinutes * 60),
        SANDBOX_SUBNETS: network.vpc.selectSubnets(network.subnets).subnetIds.join(','),
        SANDBOX_SECURITY_GROUP: network.sandboxGroup.securityGroupId,
      },
      {
        // RunTask may name any task role, but the launcher may pass this role only.
        actions: ['iam:PassRole'],
        on: [executionRole.roleArn],
        when: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
      },
    );
  }

  /** For finding and stopping the tasks of the cluster. */
  grantStop(stopper: EntryFunction): void {
    const { clusterArn, clusterName } = this.platform.cluster;
    const resourceName = `${clusterName}/*`;
    const tasks = Stack.of(this).formatArn({ service: 'ecs', resource: 'task', resourceName });
    stopper.receive(
      { SANDBOX_CLUSTER: clusterArn },
      { actions: ['ecs:DescribeTasks', 'ecs:StopTask'], on: [tasks] },
      { actions: ['ecs:ListTasks'], on: ['*'], when: { ArnEquals: { 'ecs:cluster': clusterArn } } },
    );
    acknowledgePattern(
      stopper.role,
      tasks,
      'Tasks get their ids when they start; the cluster holds nothing but sandboxes, builds of packages and egress proxies.',
    );
  }

  /** ECS pulls the image and writes the log with this role. The container never sees its credentials. */
  #makeExecutionRole(): Role {
    return new Role(this, 'ExecutionRole', { assumedBy: ofTasks(this) });
  }

  #logGroup(writer: Role): LogGroup {
    const { logRetention: retention, removalPolicy } = this.#props;
    const logGroup = new LogGroup(this, 'Log', { retention, removalPolicy });
    logGroup.grantWrite(writer);
    return logGroup;
  }

  #makeDefinition(image: string): CfnTaskDefinition {
    return confinedTask(this, this.platform, {
      cpu: this.#props.cpu,
      memoryMb: this.#props.memoryMb,
      container: {
        name: CONTAINER,
        image,
        command: [...START_SERVER],
        portMappings: [{ containerPort: SANDBOX_PORT, protocol: 'tcp' }],
      },
      runsAs: 'server',
    });
  }
}
