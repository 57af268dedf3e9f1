import { join } from 'node:path';
import type { Verdicts } from '../iam/verdicts.ts';
import type { Service } from './service.ts';
import type { Invoke } from '../lambda/invoke.ts';
import type { FunctionPart, MachinePart } from '../template/parts.ts';
import { jsonService, optionalText, requiredText, type Input, type JsonOperation } from './json-service.ts';
import { createExecutions, type Execution, type Executions } from './step-functions/executions.ts';
import { openJournal } from './step-functions/journal.ts';
import { loadMachine, type StateEvent } from './step-functions/machine.ts';
import { createTasks } from './step-functions/tasks.ts';

interface StepFunctionsOptions {
  readonly machines: readonly MachinePart[];
  readonly functions: readonly FunctionPart[];
  readonly verdicts: Verdicts;
  readonly dataDir: string;
  readonly invoke: Invoke;
  readonly report?: (message: string) => void;
  /** Replaces the pauses before retries; for tests. */
  readonly retryIntervalMs?: number;
}

export interface StepFunctions extends Service {
  /** Starts what the last runtime left unfinished; call it once functions can be invoked. @returns how many */
  resume(): number;
  executions(machineArn: string): readonly Execution[];
  /** What the states of an execution were given and gave, in order; empty for an execution of an earlier runtime. */
  history(executionArn: string): readonly StateEvent[];
  /** What AWS would bill of all executions since start: states entered, and retries. */
  transitions(): number;
  /** Resolves when no execution is running. */
  idle(): Promise<void>;
  /**
   * Stops all executions without ending them: the next runtime takes them up. To be called before functions are stopped,
   * which executions would otherwise take for failures of theirs. Calling it twice changes nothing.
   */
  close(): Promise<void>;
}

/** Step Functions: the template's own machines, with a journal that outlives this process. */
export function openStepFunctions(options: StepFunctionsOptions): StepFunctions {
  const report = options.report ?? (() => {});
  const journal = openJournal(join(options.dataDir, 'executions.jsonl'), Date.now());
  const tasks = createTasks({
    ...options,
    report,
    start: (machineArn, name, input) => {
      const { arn, startedAt } = executions.start(machineArn, name, input);
      return { executionArn: arn, startDate: startedAt };
    },
  });
  const machines = options.machines.map((part) => loadMachine(part, tasks, options.retryIntervalMs ?? null));
  const executions: Executions = createExecutions({
    machines: new Map(machines.map((machine) => [machine.part.arn, machine])),
    journal,
  });
  return {
    ...jsonService({ name: 'states', operations: operations(executions), close: async () => executions.close() }),
    resume: executions.resume,
    executions: executions.list,
    history: executions.history,
    transitions: executions.transitions,
    idle: executions.idle,
  };
}

function operations(executions: Executions): Readonly<Record<string, JsonOperation>> {
  const on = (action: string, field: string, run: (arn: string, input: Input) => unknown): JsonOperation => ({
    accesses: (input) => [{ action: `states:${action}`, resource: requiredText(input, field), context: {} }],
    run: (input) => run(requiredText(input, field), input),
  });
  return {
    StartExecution: on('StartExecution', 'stateMachineArn', (machineArn, input) => {
      const started = executions.start(machineArn, optionalText(input, 'name'), optionalText(input, 'input') ?? '{}');
      return { executionArn: started.arn, startDate: started.startedAt / 1000 };
    }),
    DescribeExecution: on('DescribeExecution', 'executionArn', (arn) => described(executions.find(arn))),
    ListExecutions: on('ListExecutions', 'stateMachineArn', (machineArn, input) => {
      const status = optionalText(input, 'statusFilter');
      const all = executions.list(machineArn).map(outline);
      const found = status === null ? all : all.filter((one) => one['status'] === status);
      const from = Number(input['nextToken'] ?? 0);
      const upTo = from + Number(input['maxResults'] ?? 100);
      return { executions: found.slice(from, upTo), ...(upTo < found.length ? { nextToken: String(upTo) } : {}) };
    }),
    StopExecution: on('StopExecution', 'executionArn', (arn, { error, cause }) => {
      const reason = {
        ...(typeof error === 'string' ? { error } : {}),
        ...(typeof cause === 'string' ? { cause } : {}),
      };
      const { end } = executions.stop(arn, reason);
      return { stopDate: (end?.at ?? Date.now()) / 1000 };
    }),
  };
}

function outline(execution: Execution): Readonly<Record<string, unknown>> {
  return {
    executionArn: execution.arn,
    name: execution.name,
    stateMachineArn: execution.machineArn,
    status: execution.end?.status ?? 'RUNNING',
    startDate: execution.startedAt / 1000,
    ...(execution.end === null ? {} : { stopDate: execution.end.at / 1000 }),
  };
}

function described(execution: Execution): unknown {
  const { output, error, cause } = execution.end ?? {};
  return { ...outline(execution), input: execution.input, output, error, cause };
}
