import {
  ExecutionAbortedError,
  ExecutionError,
  ExecutionTimeoutError,
  StateMachine,
  type StateMachineDefinition,
} from 'aws-local-stepfunctions';
import type { MachinePart } from '../../template/parts.ts';
import { prepareDefinition, type TaskResource } from './definition.ts';
import { TaskError, type TaskRun } from './tasks.ts';

/** One entered, exited, failed, … state as the interpreter tells it. */
export type StateEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** What AWS bills as a transition: a state entered, also one inside a Map, and each retry of one. */
export const isTransition = ({ type }: StateEvent): boolean => type === 'StateEntered' || type === 'StateRetried';

export type Ending =
  | { readonly status: 'SUCCEEDED'; readonly output: string }
  | { readonly status: 'FAILED'; readonly error: string; readonly cause: string }
  | { readonly status: 'TIMED_OUT' };

export interface Run {
  readonly ending: Promise<Ending | 'aborted'>;
  abort(): void;
}

interface RunOptions {
  readonly execution: { readonly arn: string; readonly name: string };
  readonly onEvent: (event: StateEvent) => void;
}

export interface Machine {
  readonly part: MachinePart;
  run(input: unknown, options: RunOptions): Run;
}

/** Definitions that were validated in this process: the interpreter compiles its schemas anew each time, for half a second. */
const valid = new Set<string>();

function openInterpreter(definition: StateMachineDefinition): StateMachine {
  const text = JSON.stringify(definition);
  const interpreter = new StateMachine(definition, { validationOptions: { noValidate: valid.has(text) } });
  valid.add(text);
  return interpreter;
}

/**
 * Validates a machine once and runs it as often as asked.
 * `retryIntervalMs` replaces the pauses before retries, for tests that cannot wait for them.
 */
export function loadMachine(
  part: MachinePart,
  tasks: Readonly<Record<TaskResource, TaskRun>>,
  retryIntervalMs: number | undefined,
): Machine {
  const prepared = prepareDefinition(part);
  const interpreter = openInterpreter(prepared.definition);
  const retryIntervalOverrides =
    retryIntervalMs === undefined ? {} : Object.fromEntries(prepared.retrying.map((name) => [name, retryIntervalMs]));
  return {
    part,
    run: (input, { execution, onEvent }) => {
      const state = { aborted: false };
      const aborted = Promise.withResolvers<never>();
      aborted.promise.catch(() => undefined);
      const handlers = prepared.tasks.map(({ name, resource }) => {
        const handler = async (parameters: unknown): Promise<never> => {
          // The interpreter wakes a task that waits for its retry when the execution is aborted, and would run it again.
          if (state.aborted) return aborted.promise;
          // The interpreter's timer lasts as long as the task, so a task that is abandoned would keep the process alive.
          return (await Promise.race([tasks[resource](part, parameters), aborted.promise])) as never;
        };
        return [name, handler] as const;
      });
      const run = interpreter.run(input as never, {
        overrides: { taskResourceLocalHandlers: Object.fromEntries(handlers), retryIntervalOverrides },
        context: {
          Execution: { Id: execution.arn, Name: execution.name, RoleArn: part.roleArn },
          StateMachine: { Id: part.arn, Name: part.name },
        },
      });
      void follow(run.eventLogs, onEvent);
      const abort = (): void => {
        state.aborted = true;
        run.abort();
        aborted.reject(new TaskError('States.Aborted', 'the execution was aborted', 'final'));
      };
      return { ending: run.result.then(succeeded, failed), abort };
    },
  };
}

async function follow(events: AsyncIterable<unknown>, onEvent: (event: StateEvent) => void): Promise<void> {
  for await (const event of events) onEvent(event as StateEvent);
}

function succeeded(output: unknown): Ending {
  return { status: 'SUCCEEDED', output: JSON.stringify(output) };
}

function failed(error: unknown): Ending | 'aborted' {
  if (error instanceof ExecutionAbortedError) return 'aborted';
  if (error instanceof ExecutionTimeoutError) return { status: 'TIMED_OUT' };
  const cause = error instanceof ExecutionError ? error.cause : error;
  if (!(cause instanceof Error)) return { status: 'FAILED', error: 'States.Runtime', cause: 'unknown' };
  return { status: 'FAILED', error: cause.name, cause: cause.message };
}
