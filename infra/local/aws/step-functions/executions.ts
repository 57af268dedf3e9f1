import { randomUUID } from 'node:crypto';
import { AwsFault } from '../wire.ts';
import type { Execution, Journal } from './journal.ts';
import { isTransition, type Ending, type Machine, type Run, type StateEvent } from './machine.ts';

export interface Executions {
  /** Starts again, from the beginning, what was running when the last runtime died. @returns how many */
  resume(): number;
  /** Latest first. */
  executions(machineArn: string): readonly Execution[];
  /** What the states of an execution were given and gave, in order; empty for an execution of an earlier runtime. */
  history(executionArn: string): readonly StateEvent[];
  /** What AWS would bill of all executions since start: states entered, and retries. */
  transitions(): number;
  /** Resolves when no execution is running. */
  idle(): Promise<void>;
  /**
   * Stops all executions without ending them: the next runtime takes them up. The caller stops the functions afterwards,
   * because an execution takes a stopped function for a failed one. A second call changes nothing.
   */
  close(): Promise<void>;
}

interface StartInput {
  readonly machineArn: string;
  /** @default a random one */
  readonly name?: string | undefined;
  /** JSON. */
  readonly input: string;
}

/** @throws AwsFault `ExecutionAlreadyExists`, `InvalidName`, `InvalidExecutionInput`, `StateMachineDoesNotExist` */
export type StartExecution = (input: StartInput) => Execution;

/** As many executions as the longest test makes; the histories of older ones are forgotten. */
const MAX_HISTORIES = 2_000;

interface State {
  readonly machines: ReadonlyMap<string, Machine>;
  readonly journal: Journal;
  readonly known: Map<string, Execution>;
  readonly running: Map<string, { readonly run: Run; readonly ended: Promise<void> }>;
  readonly histories: Map<string, StateEvent[]>;
  transitions: number;
  closed: boolean;
}

export function createExecutions(
  machines: readonly Machine[],
  journal: Journal,
): Executions & { readonly start: StartExecution } {
  const state: State = {
    machines: new Map(machines.map((machine) => [machine.part.arn, machine])),
    journal,
    known: new Map(journal.executions.map((execution) => [execution.arn, execution])),
    running: new Map(),
    histories: new Map(),
    transitions: 0,
    closed: false,
  };
  return {
    start: (input) => startExecution(state, input),
    resume: () => {
      const unfinished = [...state.known.values()].filter(({ arn, end }) => end === null && !state.running.has(arn));
      // An execution of a machine that the template lacks stays as it is.
      const runnable = unfinished.filter(({ machineArn }) => state.machines.has(machineArn));
      for (const execution of runnable) run(state, execution);
      return runnable.length;
    },
    executions: (machineArn) =>
      [...state.known.values()]
        .filter((execution) => execution.machineArn === machineArn)
        .toSorted((left, right) => right.startedAt - left.startedAt),
    history: (executionArn) => state.histories.get(executionArn) ?? [],
    transitions: () => state.transitions,
    idle: async () => {
      while (state.running.size > 0) await Promise.all([...state.running.values()].map(({ ended }) => ended));
    },
    close: async () => {
      if (state.closed) return;
      state.closed = true;
      for (const { run: one } of state.running.values()) one.abort();
      journal.close();
    },
  };
}

function startExecution(state: State, { machineArn, name = randomUUID(), input }: StartInput): Execution {
  if (state.closed) throw new AwsFault('ServiceUnavailable', 'the runtime is stopping', 503);
  if (!state.machines.has(machineArn)) {
    throw new AwsFault('StateMachineDoesNotExist', `State Machine Does Not Exist: '${machineArn}'`);
  }
  if (!/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/]{1,80}$/.test(name)) throw new AwsFault('InvalidName', `Invalid Name: '${name}'`);
  const arn = `${machineArn.replace(':stateMachine:', ':execution:')}:${name}`;
  const known = state.known.get(arn);
  if (known !== undefined) {
    if (known.end === null && known.input === input) return known;
    throw new AwsFault('ExecutionAlreadyExists', `Execution Already Exists: '${arn}'`);
  }
  parseInput(input);
  const line = { arn, name, machineArn, input, startedAt: Date.now() };
  state.journal.append(line);
  const execution: Execution = { ...line, end: null };
  state.known.set(arn, execution);
  run(state, execution);
  return execution;
}

function run(state: State, execution: Execution): void {
  const machine = state.machines.get(execution.machineArn);
  if (machine === undefined || state.closed) return;
  const { arn, name } = execution;
  const history: StateEvent[] = [];
  state.histories.set(arn, history);
  const [oldest] = state.histories.keys();
  if (state.histories.size > MAX_HISTORIES && oldest !== undefined) state.histories.delete(oldest);
  const started = machine.run(parseInput(execution.input), {
    execution: { arn, name },
    onEvent: (event) => {
      history.push(event);
      if (isTransition(event)) state.transitions += 1;
    },
  });
  const ended = started.ending.then((ending) => {
    state.running.delete(arn);
    // An execution that is aborted because the runtime stops gets no end, so that the next runtime resumes it.
    if (!state.closed && ending !== 'aborted') end(state, execution, ending);
  });
  state.running.set(arn, { run: started, ended });
}

function end({ journal, known }: State, execution: Execution, ending: Ending): void {
  const line = { ended: execution.arn, at: Date.now(), ...ending };
  journal.append(line);
  known.set(execution.arn, { ...execution, end: line });
}

function parseInput(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch (cause) {
    throw Object.assign(new AwsFault('InvalidExecutionInput', 'the input is not valid JSON'), { cause });
  }
}
