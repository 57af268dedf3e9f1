import { join } from 'node:path';
import * as z from 'zod';
import type { Verdicts } from '../../iam/verdicts.ts';
import type { Service } from '../service.ts';
import type { Invoke } from '../../lambda/invoke.ts';
import type { FunctionPart, MachinePart } from '../../template/parts.ts';
import { jsonService, operation } from '../json-service.ts';
import { createExecutions, type Executions, type StartExecution } from './executions.ts';
import { openJournal } from './journal.ts';
import { loadMachine } from './machine.ts';
import { createTasks } from './tasks.ts';

interface StepFunctionsOptions {
  readonly machines: readonly MachinePart[];
  readonly functions: readonly FunctionPart[];
  readonly verdicts: Verdicts;
  readonly dataDir: string;
  readonly invoke: Invoke;
  readonly report: (message: string) => void;
  /** Replaces the pauses before retries; for tests. */
  readonly retryIntervalMs?: number | undefined;
}

export interface StepFunctions extends Service, Executions {
  close(): Promise<void>;
}

const StartInput = z.object({
  stateMachineArn: z.string(),
  name: z.string().optional(),
  input: z.string().default('{}'),
});

/** Step Functions: the template's own machines, with a journal that outlives this process. */
export function openStepFunctions(options: StepFunctionsOptions): StepFunctions {
  const journal = openJournal(join(options.dataDir, 'executions.jsonl'), Date.now());
  const tasks = createTasks({ ...options, start: (input) => start(input) });
  const machines = options.machines.map((part) => loadMachine(part, tasks, options.retryIntervalMs));
  const { start, ...executions } = createExecutions(machines, journal);
  const operations = { StartExecution: startOperation(start) };
  return { ...jsonService({ name: 'states', operations }), ...executions };
}

function startOperation(start: StartExecution) {
  return operation(StartInput, ({ stateMachineArn: machineArn, name, input }) => ({
    accesses: [{ action: 'states:StartExecution', resource: machineArn, context: {} }],
    run: () => {
      const execution = start({ machineArn, name, input });
      return { executionArn: execution.arn, startDate: execution.startedAt / 1000 };
    },
  }));
}
