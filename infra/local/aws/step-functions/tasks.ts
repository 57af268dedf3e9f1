import * as z from 'zod';
import { denialMessage } from '../endpoint.ts';
import type { Verdicts } from '../../iam/verdicts.ts';
import type { Invoke } from '../../lambda/invoke.ts';
import type { FunctionPart, MachinePart } from '../../template/parts.ts';
import { AwsFault } from '../wire.ts';
import type { TaskResource } from './definition.ts';
import type { StartExecution } from './executions.ts';

interface TaskWorld {
  readonly functions: readonly FunctionPart[];
  readonly invoke: Invoke;
  readonly verdicts: Verdicts;
  readonly report: (message: string) => void;
  readonly start: StartExecution;
}

/** An error of a task, named as a state machine's `Retry` and `Catch` know it. */
export class TaskError extends Error {
  /** Read by the interpreter: false for errors which no retrier or catcher may see, not even `States.ALL`. */
  readonly isRetryable: boolean;
  readonly isCatchable: boolean;

  constructor(name: string, message: string, handling: 'matchable' | 'final' = 'matchable') {
    super(message);
    this.name = name;
    this.isRetryable = handling === 'matchable';
    this.isCatchable = handling === 'matchable';
  }
}

export type TaskRun = (machine: MachinePart, parameters: unknown) => Promise<unknown>;

/** AWS ends an execution when a task answers more than this, and no retrier or catcher sees it. */
const MAX_RESULT_BYTES = 262_144;

const InvokeParameters = z.object({ FunctionName: z.string(), Payload: z.unknown() });
const StartParameters = z.object({ StateMachineArn: z.string(), Name: z.string().optional(), Input: z.unknown() });

/** How each task resource is run: with the machine's role judged, and with the errors that AWS would give. */
export function createTasks(world: TaskWorld): Readonly<Record<TaskResource, TaskRun>> {
  return {
    'arn:aws:states:::lambda:invoke': (machine, parameters) => invokeFunction(world, machine, parameters),
    'arn:aws:states:::states:startExecution': async (machine, parameters) => startExecution(world, machine, parameters),
  };
}

async function invokeFunction(world: TaskWorld, machine: MachinePart, parameters: unknown): Promise<unknown> {
  const { FunctionName, Payload } = InvokeParameters.parse(parameters);
  const bare = FunctionName.replace(/:\$LATEST$/, '');
  const found = world.functions.find(({ name, arn }) => arn === bare || name === bare);
  if (found === undefined)
    throw new TaskError('Lambda.ResourceNotFoundException', `Function not found: ${FunctionName}`);
  authorize(world, machine, {
    action: 'lambda:InvokeFunction',
    resource: found.arn,
    error: 'Lambda.AWSLambdaException',
  });
  const result = await world.invoke(found.arn, Payload).catch((error: Error) => {
    // Lambda's error document is the cause, as text.
    throw new TaskError(error.name, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  });
  const answered = result ?? null;
  if (Buffer.byteLength(JSON.stringify(answered)) > MAX_RESULT_BYTES) {
    throw new TaskError(
      'States.DataLimitExceeded',
      `${found.name} answered more than ${MAX_RESULT_BYTES} bytes`,
      'final',
    );
  }
  return { ExecutedVersion: '$LATEST', Payload: answered, StatusCode: 200 };
}

function startExecution(world: TaskWorld, machine: MachinePart, parameters: unknown): unknown {
  const { StateMachineArn, Name, Input } = StartParameters.parse(parameters);
  authorize(world, machine, {
    action: 'states:StartExecution',
    resource: StateMachineArn,
    error: 'StepFunctions.AWSStepFunctionsException',
  });
  const input = typeof Input === 'string' ? Input : JSON.stringify(Input ?? {});
  try {
    const { arn, startedAt } = world.start({ machineArn: StateMachineArn, name: Name, input });
    return { ExecutionArn: arn, StartDate: new Date(startedAt).toISOString() };
  } catch (error) {
    if (!(error instanceof AwsFault)) throw error;
    throw new TaskError(`StepFunctions.${error.code}Exception`, error.message);
  }
}

function authorize(
  world: TaskWorld,
  machine: MachinePart,
  { action, resource, error }: { action: string; resource: string; error: string },
): void {
  const access = { action, resource, context: {} };
  const verdict = world.verdicts.judge(machine.roleArn, access);
  if (verdict.allowed) return;
  const role = machine.roleArn.slice(machine.roleArn.lastIndexOf('/') + 1);
  const message = denialMessage(`the role ${role} of state machine ${machine.name}`, access, verdict);
  world.report(message);
  throw new TaskError(error, message);
}
