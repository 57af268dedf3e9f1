import { Stack, type Duration, type RemovalPolicy } from 'aws-cdk-lib';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Architecture, type CfnFunction, Function, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Bundles } from './bundles.ts';
import type { Entry } from './modules.ts';
import { acknowledgePattern } from './finding.ts';
import { settingsExcess } from './settings-limit.ts';

/** The props that every function of the service has in common. */
export interface FunctionDefaults {
  readonly bundles: Bundles;
  readonly removalPolicy: RemovalPolicy;
  readonly logRetention: RetentionDays;
}

export interface EntryFunctionProps {
  readonly entry: Entry;
  readonly defaults: FunctionDefaults;
  readonly timeout: Duration;
  readonly memoryMb: number;
  readonly network?: { readonly vpc: IVpc; readonly subnets: SubnetSelection; readonly group: ISecurityGroup };
  /** How often Lambda repeats an asynchronous invocation that failed; only for functions invoked that way. */
  readonly asyncRetries?: number;
  /** Lambda drops an asynchronous invocation that waited longer. @default six hours */
  readonly maxEventAge?: Duration;
  /** How many instances run at once; they are set aside for the function. */
  readonly maxInstances?: number | undefined;
}

/** With the role of a function in a VPC, Lambda makes its network interfaces. IAM knows no resource for that. */
const NETWORK_INTERFACE_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

/**
 * One Lambda function with its own role and log group. The constructs that it uses grant its rights. A construct that
 * grants a right also hands over the setting for its use (`receive`), so the two cannot disagree.
 */
export class EntryFunction extends Construct {
  readonly entry: Entry;
  readonly timeout: Duration;
  readonly role: Role;
  readonly lambda: Function;

  constructor(scope: Construct, id: string, props: EntryFunctionProps) {
    super(scope, id);
    this.entry = props.entry;
    this.timeout = props.timeout;
    const { defaults, network } = props;
    const logGroup = new LogGroup(this, 'Log', {
      retention: defaults.logRetention,
      removalPolicy: defaults.removalPolicy,
    });
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(this.role);
    if (network) this.#allowNetworkInterfaces();
    this.lambda = new Function(this, 'Lambda', {
      code: defaults.bundles.code(props.entry),
      handler: 'index.handler',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      timeout: props.timeout,
      memorySize: props.memoryMb,
      role: this.role,
      logGroup,
      tracing: Tracing.ACTIVE,
      environment: {
        POWERTOOLS_SERVICE_NAME: props.entry,
        POWERTOOLS_METRICS_NAMESPACE: 'Brainstem',
        POWERTOOLS_LOG_LEVEL: 'INFO',
      },
      ...(props.maxInstances !== undefined && { reservedConcurrentExecutions: props.maxInstances }),
      ...(props.asyncRetries !== undefined && { retryAttempts: props.asyncRetries }),
      ...(props.maxEventAge && { maxEventAge: props.maxEventAge }),
      ...(network && { vpc: network.vpc, vpcSubnets: network.subnets, securityGroups: [network.group] }),
    });
    this.#acknowledgeAnyResource(network !== undefined);
    this.node.addValidation({ validate: () => this.#excess() });
  }

  /** Gives the function a setting and the rights that go with it. */
  receive(settings: Readonly<Record<string, string>>, ...rights: readonly Right[]): void {
    for (const [name, value] of Object.entries(settings)) this.lambda.addEnvironment(name, value);
    for (const { actions, on, when = {} } of rights) {
      this.role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [...on], conditions: when }));
    }
  }

  #excess(): string[] {
    const { environment } = this.lambda.node.defaultChild as CfnFunction;
    const excess = settingsExcess(this.entry, Stack.of(this).resolve(environment)?.variables ?? {});
    return excess === null ? [] : [excess];
  }

  #allowNetworkInterfaces(): void {
    this.role.addToPolicy(new PolicyStatement({ actions: NETWORK_INTERFACE_ACTIONS, resources: ['*'] }));
  }

  #acknowledgeAnyResource(inVpc: boolean): void {
    const network = inVpc ? ' Network interfaces do not exist before Lambda makes them.' : '';
    acknowledgePattern(
      this.role,
      '*',
      `X-Ray has no resources to name.${network} The rule any-resource-has-a-reason bounds these actions.`,
    );
  }
}

export interface Right {
  readonly actions: readonly string[];
  readonly on: readonly string[];
  /** IAM conditions: operator, key, and the value or all that it may have. */
  readonly when?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}
