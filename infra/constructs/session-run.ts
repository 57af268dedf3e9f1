import { ArnFormat, Fn, Names, Stack, Validations } from 'aws-cdk-lib';
import { Policy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { Hands } from '#contract/run.ts';
import type { EntryFunction, FunctionDefaults } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';
import { runDefinition } from './run-definition.ts';

export interface SessionRunProps {
  readonly defaults: FunctionDefaults;
  readonly harness: EntryFunction;
  readonly provision: EntryFunction;
  readonly execute: EntryFunction;
  readonly webFetch: EntryFunction;
  readonly mcpProxy: EntryFunction;
}

/** One execution per run: from a user event until the session is idle (docs/design.md#runs). */
export class SessionRun extends Construct {
  readonly machine: StateMachine;
  readonly #arn: string;

  constructor(scope: Construct, id: string, props: SessionRunProps) {
    super(scope, id);
    const { logRetention: retention, removalPolicy } = props.defaults;
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('states.amazonaws.com') });
    const { harness, provision, execute, webFetch, mcpProxy } = props;
    const functions = [harness, provision, execute, webFetch, mcpProxy];
    role.addToPolicy(
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: functions.map(({ lambda }) => lambda.functionArn),
      }),
    );
    const hands: Hands = { sandbox: handOf(execute), web: handOf(webFetch), mcp: handOf(mcpProxy) };
    harness.receive({ HANDS: Stack.of(this).toJsonString(hands) });
    const arns = {
      Harness: harness.lambda.functionArn,
      Provision: provision.lambda.functionArn,
      Execute: execute.lambda.functionArn,
    };
    // A name of its own, so that the harness can start runs of other threads: the machine depends on the harness.
    const stateMachineName = Names.uniqueResourceName(this, { maxLength: 80, separator: '-' });
    this.#arn = Stack.of(this).formatArn({
      service: 'states',
      resource: 'stateMachine',
      resourceName: stateMachineName,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    this.machine = new StateMachine(this, 'StateMachine', {
      stateMachineName,
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromString(Fn.sub(JSON.stringify(runDefinition), arns)),
      role,
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', { retention, removalPolicy }),
        level: LogLevel.ERROR,
        includeExecutionData: false,
      },
      removalPolicy,
    });
    this.grantStart(harness);
    this.#allowStartNextRun(role);
    this.#acknowledge(role);
  }

  /** For starting executions. A repeated start of the same run changes nothing. */
  grantStart(starter: EntryFunction): void {
    const on = [this.#arn];
    starter.receive({ RUN_STATE_MACHINE_ARN: this.#arn }, { actions: ['states:StartExecution'], on });
  }

  /** For starting the executions that are missing. */
  grantRepair(repairer: EntryFunction): void {
    this.grantStart(repairer);
    repairer.receive({}, { actions: ['states:ListExecutions'], on: [this.#arn] });
  }

  /** A separate policy: the machine depends on the main policy of its role, which therefore cannot name the machine. */
  #allowStartNextRun(role: Role): void {
    const statement = new PolicyStatement({
      actions: ['states:StartExecution'],
      resources: [this.#arn],
    });
    new Policy(this, 'StartNextRun', { statements: [statement], roles: [role] });
  }

  #acknowledge(role: Role): void {
    acknowledgePattern(
      role,
      '*',
      'Log delivery and X-Ray have no resources to name. The rule any-resource-has-a-reason bounds these actions.',
    );
    Validations.of(this.machine).acknowledge({
      id: 'AwsSolutions-SF1',
      reason: 'Errors only: the session log is the record of a run, and a second one could hold what users said.',
    });
  }
}

/** Longer than the function's own limit, which has to end a call before the state machine stops waiting for it. */
function handOf({ timeout, lambda }: EntryFunction): Hands['web'] {
  return { function: lambda.functionArn, timeoutSeconds: timeout.toSeconds() + 15 };
}
