import { join } from 'node:path';
import * as z from 'zod';
import type { Verdicts } from '../../iam/verdicts.ts';
import type { Service } from '../service.ts';
import type { Invoke } from '../../lambda/invoke.ts';
import type { FunctionPart, MachinePart } from '../../template/parts.ts';
import { jsonService, operation } from '../json-service.ts';
import { AwsFault } from '../wire.ts';
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
  const operations = { StartExecution: startOperation(start), ListExecutions: listOperation(executions) };
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

const ListInput = z.object({
  stateMachineArn: z.string(),
  statusFilter: z.enum(['RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED', 'PENDING_REDRIVE']).optional(),
  /** 0 is the default, too. */
  maxResults: z.int().min(0).max(1000).default(0),
  nextToken: z.string().optional(),
});

/** Latest first, as in AWS. The token tells after how many executions the next page begins. */
function listOperation({ executions }: Pick<Executions, 'executions'>) {
  return operation(ListInput, ({ stateMachineArn, statusFilter, maxResults, nextToken = '0' }) => ({
    accesses: [{ action: 'states:ListExecutions', resource: stateMachineArn, context: {} }],
    run: () => {
      if (!/^\d+$/.test(nextToken)) throw new AwsFault('InvalidToken', 'Invalid Token');
      const all = executions(stateMachineArn).map((execution) => ({
        executionArn: execution.arn,
        stateMachineArn,
        name: execution.name,
        status: execution.end?.status ?? 'RUNNING',
        startDate: execution.startedAt / 1000,
        ...(execution.end !== null && { stopDate: execution.end.at / 1000 }),
      }));
      const found = all.filter(({ status }) => status === (statusFilter ?? status));
      const next = Number(nextToken) + (maxResults || 100);
      return {
        executions: found.slice(Number(nextToken), next),
        ...(next < found.length && { nextToken: String(next) }),
      };
    },
  }));
}
