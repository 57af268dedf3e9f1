import { CustomResource, Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { Options } from '../options/options.ts';
import type { TaskPlatform } from './confined-task.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import { PackageBuild, type PackageBuildProps } from './package-build.ts';
import { SandboxNetwork } from './sandbox-network.ts';
import { SandboxTask, type SandboxTaskProps } from './sandbox-task.ts';
import type { Stores } from './stores.ts';

export interface HandsProps extends Stores {
  readonly defaults: FunctionDefaults;
  readonly sandbox: Pick<SandboxTaskProps, 'image' | 'cpu' | 'memoryMb' | 'idleMinutes'> & {
    /** A sandbox that is older is stopped. */
    readonly maxHours: number;
  };
  /** The most that an environment may open. */
  readonly maxReach: Options['network']['max'];
  readonly packages: Pick<PackageBuildProps, 'image' | 'cpu' | 'memoryMb' | 'sources' | 'hosts'>;
}

/**
 * Sandboxes and the two functions that use them. `provision` speaks to ECS from outside the VPC; `execute` speaks to
 * sandboxes from inside it and has no way out (docs/design.md#sandboxes).
 */
export class Hands extends Construct {
  readonly network: SandboxNetwork;
  readonly provision: EntryFunction;
  readonly execute: EntryFunction;
  readonly #sandbox: SandboxTask;
  readonly #reach: { readonly NETWORK_MAX: string };
  readonly #ages: { readonly maxHours: number; readonly idleMinutes: number };
  readonly #end: CustomResource;

  constructor(scope: Construct, id: string, props: HandsProps) {
    super(scope, id);
    const { defaults, log, records, content, memory } = props;
    this.network = new SandboxNetwork(this, 'Network', {
      ...{ log, records, content, memory },
      hasWayOut: props.maxReach !== 'none',
    });

    // A cold Fargate start takes up to two minutes, and a build of packages longer. The harness also invokes this ahead
    // of time. Lambda does not repeat that invocation, because the Provision step of the run is the repeat.
    this.provision = new EntryFunction(this, 'Provision', {
      entry: 'provision',
      defaults,
      timeout: Duration.minutes(15),
      memoryMb: 256,
      asyncRetries: 0,
      // By then the run has asked for the sandbox itself, or the session needs none.
      maxEventAge: Duration.seconds(60),
    });
    records.grantRead(this.provision);
    records.grantWrite(this.provision);
    const { logRetention, removalPolicy } = defaults;
    this.#reach = { NETWORK_MAX: props.maxReach };
    this.#ages = props.sandbox;
    const task = new SandboxTask(this, 'Sandbox', {
      ...props.sandbox,
      network: this.network,
      logRetention,
      removalPolicy,
    });
    this.#sandbox = task;
    task.grantRun(this.provision);
    const build = new PackageBuild(this, 'Packages', { ...props.packages, platform: task.platform, content });
    build.grantRun(this.provision);

    // A cluster with tasks cannot be deleted.
    this.#end = new CustomResource(this, 'EndSandboxes', {
      resourceType: 'Custom::EndSandboxes',
      serviceToken: this.provision.lambda.functionArn,
      serviceTimeout: Duration.minutes(15),
    });

    const { vpc, subnets, executeGroup: group } = this.network;
    this.execute = new EntryFunction(this, 'Execute', {
      entry: 'execute',
      defaults,
      // A sandbox accepts calls of up to 14 minutes.
      timeout: Duration.minutes(15),
      memoryMb: 256,
      network: { vpc, subnets, group },
      // The sweep's invocations, which the next sweep repeats. Those of the run are synchronous.
      asyncRetries: 0,
      maxEventAge: Duration.seconds(60),
    });
    log.grantAppend(this.execute);
    records.grantRead(this.execute);
    records.grantWrite(this.execute);
    content.grantReadWrite(this.execute);
    content.grantReadArchives(this.execute);
    content.grantReadWriteBlobs(this.execute);
    memory.grantUse(this.execute);
    for (const user of [this.provision, this.execute]) user.receive(this.#reach);
  }

  /** Where other tasks of the service run too. */
  get platform(): TaskPlatform {
    return this.#sandbox.platform;
  }

  /** For stopping the tasks that nothing needs, and for asking `execute` to take over what idle sandboxes hold. */
  grantSweep(sweeper: EntryFunction): void {
    this.#sandbox.grantStop(sweeper);
    const { maxHours, idleMinutes } = this.#ages;
    sweeper.receive({
      ...this.#reach,
      SANDBOX_MAX_SECONDS: String(maxHours * 3600),
      SANDBOX_IDLE_SECONDS: String(idleMinutes * 60),
    });
    const { functionName, functionArn } = this.execute.lambda;
    sweeper.receive({ EXECUTE_FUNCTION_NAME: functionName }, { actions: ['lambda:InvokeFunction'], on: [functionArn] });
  }

  /** For what asks for sandboxes: CloudFormation deletes it before it ends the sandboxes. */
  endAfter(...askers: readonly Construct[]): void {
    for (const asker of askers) asker.node.addDependency(this.#end);
  }

  /** For starting a sandbox before the run asks for it, and for ending it with its session. */
  grantProvision(caller: EntryFunction): void {
    const { functionName, functionArn } = this.provision.lambda;
    caller.receive(
      { PROVISION_FUNCTION_NAME: functionName },
      { actions: ['lambda:InvokeFunction'], on: [functionArn] },
    );
  }
}
