import { EGRESS_PORT, EGRESS_THREADS, START_EGRESS_PROXY, type EgressProxyVariables } from '#contract/egress.ts';
import { Aws, Duration, type RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type { CfnTaskDefinition } from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement, Role } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { Options } from '../options/options.ts';
import type { AuditTrail } from './audit-trail.ts';
import { confinedTask, grantRunTask, ofTasks, type TaskPlatform } from './confined-task.ts';
import { EgressNetwork } from './egress-network.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import { sandboxImageUri } from './sandbox-image.ts';
import type { SandboxNetwork } from './sandbox-network.ts';
import type { Stores } from './stores.ts';

export interface EgressProps extends Stores {
  readonly defaults: FunctionDefaults;
  readonly auditTrail: AuditTrail;
  readonly platform: TaskPlatform;
  readonly sandboxes: SandboxNetwork;
  readonly options: Options['network'];
  /** At which the service itself answers. No session reaches them. */
  readonly ownHosts: readonly string[];
  readonly removalPolicy: RemovalPolicy;
}

const CONTAINER = 'egress-proxy';

/**
 * The way out of sandboxes: a proxy that runs while programs use the network, and the function `egress`, which tells
 * the proxy what a task may reach and takes its reports (docs/design.md#the-way-out). The proxy reads and writes
 * nothing but through that function.
 */
export class Egress extends Construct {
  readonly answer: EntryFunction;
  readonly network: EgressNetwork;
  /** Seals the tokens of repositories in the contents of their sessions. */
  readonly key: Key;
  readonly #props: EgressProps;
  readonly #definition: CfnTaskDefinition;
  readonly #role: Role;

  constructor(scope: Construct, id: string, props: EgressProps) {
    super(scope, id);
    this.#props = props;
    const { defaults, records, auditTrail, platform, sandboxes } = props;
    this.answer = new EntryFunction(this, 'Answer', {
      entry: 'egress',
      defaults,
      // The proxy waits for so long.
      timeout: Duration.seconds(15),
      memoryMb: 512,
    });
    records.grantRead(this.answer);
    auditTrail.grantAppend(this.answer);
    this.key = new Key(this, 'RepositoryKey', {
      description: 'Seals the tokens of repositories',
      enableKeyRotation: true,
      removalPolicy: props.removalPolicy,
    });
    this.#grantKey(this.answer, 'kms:Decrypt');
    this.network = new EgressNetwork(this, 'Network', { sandboxes });
    this.#role = new Role(this, 'Role', { assumedBy: ofTasks(this) });
    const { functionArn } = this.answer.lambda;
    this.#role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [functionArn] }));
    const { imageUri } = props.options;
    const image = imageUri === undefined ? { dir: defaults.bundles.egressImageDir } : { uri: imageUri };
    this.#definition = confinedTask(this, platform, {
      cpu: 256,
      memoryMb: 512,
      container: {
        name: CONTAINER,
        image: sandboxImageUri(this, { image, stage: 'egress', puller: platform.executionRole }),
        command: [...START_EGRESS_PROXY],
        portMappings: [{ containerPort: EGRESS_PORT, protocol: 'tcp' }],
        environment: Object.entries(this.#variables()).map(([name, value]) => ({ name, value })),
      },
      runsAs: 'proxy',
      role: this.#role,
    });
    Validations.of(this.#definition).acknowledge({
      id: 'AwsSolutions-ECS2',
      reason: 'The settings of the proxy are options of the deployment, and none is a secret.',
    });
  }

  /** For starting and watching proxies. The right to run sandboxes includes stopping tasks of this cluster. */
  grantRun(launcher: EntryFunction): void {
    launcher.receive(
      {
        EGRESS_TASK_DEFINITION: this.#definition.ref,
        EGRESS_CONTAINER: CONTAINER,
        EGRESS_SUBNETS: this.network.subnetIds.join(','),
        EGRESS_SECURITY_GROUP: this.network.groupId,
      },
      {
        actions: ['iam:PassRole'],
        on: [this.#role.roleArn],
        when: { StringEquals: { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' } },
      },
    );
    grantRunTask(launcher, this.#props.platform, this.#definition);
  }

  /** For those that find out which proxy serves a session. */
  grantFind(finder: EntryFunction): void {
    finder.receive({ EGRESS_WARM_PROXIES: String(this.#props.options.warmProxies) });
  }

  /** For tokens of repositories that come with sessions: the API seals them and opens none. */
  grantSeal(api: EntryFunction): void {
    this.#grantKey(api, 'kms:GenerateDataKey');
  }

  #grantKey(grantee: EntryFunction, action: string): void {
    const settings = { REPOSITORY_KEY_ARN: this.key.keyArn, GIT_HOSTS: JSON.stringify(this.#props.options.gitHosts) };
    grantee.receive(settings, { actions: [action], on: [this.key.keyArn] });
  }

  #variables(): Readonly<Record<string, string>> {
    const { idleMinutes, allow, extraCa } = this.#props.options;
    const variables: { readonly [Name in keyof EgressProxyVariables]?: string | undefined } = {
      EGRESS_FUNCTION: this.answer.lambda.functionName,
      AWS_REGION: Aws.REGION,
      EGRESS_IDLE_SECONDS: String(idleMinutes * 60),
      EGRESS_ALLOW: Stack.of(this).toJsonString(allow),
      EGRESS_OWN_HOSTS: Stack.of(this).toJsonString(this.#props.ownHosts),
      UV_THREADPOOL_SIZE: EGRESS_THREADS,
      EGRESS_EXTRA_CA: extraCa,
    };
    return Object.fromEntries(
      Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
  }
}
