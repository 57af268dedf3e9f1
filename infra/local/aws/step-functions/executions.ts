import { randomUUID } from 'node:crypto';
import { AwsFault } from '../wire.ts';
import type { EndLine, Journal } from './journal.ts';
import { isTransition, type Machine, type Outcome, type Run, type StateEvent } from './machine.ts';

export interface Execution {
  readonly arn: string;
  readonly name: string;
  readonly machineArn: string;
  readonly input: string;
  readonly startedAt: number;
  readonly end: EndLine | null;
}

export interface Executions {
  /** @throws AwsFault `ExecutionAlreadyExists`, `InvalidName`, `InvalidExecutionInput`, `StateMachineDoesNotExist` */
  start(machineArn: string, name: string | null, input: string): Execution;
  /** Starts again, from the beginning, what was running when the last runtime died. @returns how many */
  resume(): number;
  stop(arn: string, reason: { readonly error?: string; readonly cause?: string }): Execution;
  find(arn: string): Execution;
  list(machineArn: string): readonly Execution[];
  history(arn: string): readonly StateEvent[];
  /** Of all executions since start. */
  transitions(): number;
  /** Resolves when nothing is running. */
  idle(): Promise<void>;
  /** Ends what is running without journalling an end, so that the next runtime resumes it. */
  close(): void;
}

/** Histories are kept for as many executions as the longest test makes; older ones are forgotten. */
const MAX_HISTORIES = 2_000;

interface World {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly journal: Journal;
}

interface Memory {
  readonly known: Map<string, Execution>;
  readonly running: Map<string, { readonly run: Run; readonly ended: Promise<void> }>;
  readonly histories: Map<string, StateEvent[]>;
  transitions: number;
  closed: boolean;
}

export function createExecutions(world: World): Executions {
  const memory: Memory = {
    known: new Map(),
    running: new Map(),
    histories: new Map(),
    transitions: 0,
    closed: false,
  };
  for (const { start, end } of world.journal.entries) {
    const arn = executionArn(start.machine, start.start);
    const { input, machine } = start;
    memory.known.set(arn, { arn, name: start.start, machineArn: machine, input, startedAt: start.at, end });
  }
  const find = (arn: string): Execution => {
    const found = memory.known.get(arn);
    if (found === undefined) throw new AwsFault('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
    return found;
  };
  return {
    find,
    start: (machineArn, name, input) => startExecution(world, memory, { machineArn, name, input }),
    resume: () => {
      const unfinished = [...memory.known.values()].filter(({ arn, end }) => end === null && !memory.running.has(arn));
      // A machine that the template no longer has cannot be run; its executions stay as they are.
      const runnable = unfinished.filter(({ machineArn }) => world.machines.has(machineArn));
      for (const execution of runnable) run(world, memory, execution);
      return runnable.length;
    },
    stop: (arn, reason) => {
      if (find(arn).end !== null) return find(arn);
      end(world, memory, find(arn), { status: 'ABORTED', ...reason });
      memory.running.get(arn)?.run.abort();
      return find(arn);
    },
    list: (machineArn) =>
      [...memory.known.values()]
        .filter((execution) => execution.machineArn === machineArn)
        .toSorted((left, right) => right.startedAt - left.startedAt),
    history: (arn) => memory.histories.get(arn) ?? [],
    transitions: () => memory.transitions,
    idle: async () => {
      while (memory.running.size > 0) await Promise.all([...memory.running.values()].map(({ ended }) => ended));
    },
    close: () => {
      if (memory.closed) return;
      memory.closed = true;
      for (const { run: one } of memory.running.values()) one.abort();
      world.journal.close();
    },
  };
}

function startExecution(
  world: World,
  memory: Memory,
  asked: { readonly machineArn: string; readonly name: string | null; readonly input: string },
): Execution {
  const { machineArn, input } = asked;
  if (memory.closed) throw new AwsFault('ServiceUnavailable', 'the runtime is stopping', 503);
  if (!world.machines.has(machineArn)) {
    throw new AwsFault('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
  }
  const name = asked.name ?? randomUUID();
  if (!/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/]{1,80}$/.test(name)) throw new AwsFault('InvalidName', `Invalid Name: '${name}'`);
  const arn = executionArn(machineArn, name);
  const known = memory.known.get(arn);
  if (known !== undefined) {
    if (known.end === null && known.input === input) return known;
    throw new AwsFault('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
  }
  parseInput(input);
  const execution: Execution = { arn, name, machineArn, input, startedAt: Date.now(), end: null };
  world.journal.append({ start: name, machine: machineArn, input, at: execution.startedAt });
  memory.known.set(arn, execution);
  run(world, memory, execution);
  return execution;
}

function run(world: World, memory: Memory, execution: Execution): void {
  const machine = world.machines.get(execution.machineArn);
  if (machine === undefined || memory.closed) return;
  const history: StateEvent[] = [];
  memory.histories.set(execution.arn, history);
  const [oldest] = memory.histories.keys();
  if (memory.histories.size > MAX_HISTORIES && oldest !== undefined) memory.histories.delete(oldest);
  const started = machine.run(parseInput(execution.input), {
    execution,
    onEvent: (event) => {
      history.push(event);
      if (isTransition(event)) memory.transitions += 1;
    },
  });
  const ended = started.outcome.then((outcome) => {
    memory.running.delete(execution.arn);
    const stopped = memory.known.get(execution.arn)?.end !== null;
    if (!memory.closed && !stopped) end(world, memory, execution, outcome);
  });
  memory.running.set(execution.arn, { run: started, ended });
}

function end(
  world: World,
  memory: Memory,
  execution: Execution,
  outcome: Omit<EndLine, 'end' | 'machine' | 'at'> | Outcome,
): void {
  const line: EndLine = { end: execution.name, machine: execution.machineArn, at: Date.now(), ...outcome };
  world.journal.append(line);
  memory.known.set(execution.arn, { ...execution, end: line });
}

function parseInput(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch (cause) {
    throw Object.assign(new AwsFault('InvalidExecutionInput', 'the input is not valid JSON'), { cause });
  }
}

/** `…:stateMachine:Run` and a name → `…:execution:Run:<name>` */
function executionArn(machineArn: string, name: string): string {
  return `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;
}
