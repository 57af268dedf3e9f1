/**
 * Changes a template's definition where the interpreter (`aws-local-stepfunctions`) differs from AWS, and refuses what the
 * interpreter cannot do, so that a difference shows at the start and not in the middle of a run.
 */
import type { StateMachineDefinition } from 'aws-local-stepfunctions';
import type { MachinePart } from '../../template/parts.ts';

type State = Readonly<Record<string, unknown>>;

/** The interpreter ends a task after 60 s unless told otherwise; in AWS a Standard execution may wait for a year. */
const NO_TIMEOUT_SECONDS = 2_000_000;

/** What the interpreter does not know: it finds nothing at a path into the first two, and never does the others. */
const UNKNOWN_TO_INTERPRETER = [
  /"\$\$\.State\b/,
  /"\$\$\.Task\b/,
  /"QueryLanguage":"JSONata"/,
  /\.waitForTaskToken"/,
  /\.sync(:2)?"/,
];

/** Resources that a task can call here. */
const TASK_RESOURCES = ['arn:aws:states:::lambda:invoke', 'arn:aws:states:::states:startExecution'] as const;
export type TaskResource = (typeof TASK_RESOURCES)[number];

interface TaskState {
  readonly name: string;
  readonly resource: TaskResource;
}

interface Prepared {
  readonly definition: StateMachineDefinition;
  readonly tasks: readonly TaskState[];
  /** Names of all states that retry. */
  readonly retrying: readonly string[];
}

/** @throws when the machine uses something that cannot be interpreted here; machine and state are named */
export function prepareDefinition(machine: MachinePart): Prepared {
  const written = JSON.stringify(machine.definition);
  const unknown = UNKNOWN_TO_INTERPRETER.map((pattern) => pattern.exec(written)?.[0]).find(
    (found) => found !== undefined,
  );
  if (unknown !== undefined)
    throw new Error(`state machine ${machine.name} uses ${unknown}, which cannot be interpreted here`);
  const definition = prepareStates(machine.definition);
  const states = allStates(definition);
  return {
    definition: definition as unknown as StateMachineDefinition,
    tasks: states
      .filter(([, state]) => state['Type'] === 'Task')
      .map(([name, state]) => taskState(machine, name, state)),
    retrying: states.filter(([, state]) => Array.isArray(state['Retry'])).map(([name]) => name),
  };
}

function taskState(machine: MachinePart, name: string, state: State): TaskState {
  const resource = TASK_RESOURCES.find((known) => known === state['Resource']);
  if (resource !== undefined) return { name, resource };
  throw new Error(
    `state machine ${machine.name}: state ${name} calls ${String(state['Resource'])}, which is not played here`,
  );
}

function prepareStates(part: State): State {
  const states = Object.entries(Object(part['States'])).map(([name, state]) => [name, prepareState(state as State)]);
  return { ...part, States: Object.fromEntries(states) };
}

function prepareState(state: State): State {
  const prepared: Record<string, unknown> = { ...state };
  if (state['Type'] === 'Task' && state['TimeoutSecondsPath'] === undefined) {
    // Longer timers than about 24 days overflow and would fire at once.
    prepared['TimeoutSeconds'] = Math.min(Number(state['TimeoutSeconds'] ?? NO_TIMEOUT_SECONDS), NO_TIMEOUT_SECONDS);
  }
  // A path leads into the state's input; the interpreter looks for it in the parameters that are made of that input.
  if (state['TimeoutSecondsPath'] !== undefined && state['Parameters'] !== undefined) {
    prepared['Parameters'] = { ...Object(state['Parameters']), 'TimeoutSeconds.$': state['TimeoutSecondsPath'] };
    prepared['TimeoutSecondsPath'] = '$.TimeoutSeconds';
  }
  // `$` is the default and means "replace everything"; the interpreter would make a property of that name.
  if (state['ResultPath'] === '$') delete prepared['ResultPath'];
  if (Array.isArray(state['Catch'])) prepared['Catch'] = state['Catch'].map(withoutRootResultPath);
  for (const key of ['ItemProcessor', 'Iterator']) {
    if (state[key] !== undefined) prepared[key] = prepareStates(state[key] as State);
  }
  if (Array.isArray(state['Branches'])) prepared['Branches'] = state['Branches'].map(prepareStates);
  return prepared;
}

function withoutRootResultPath(catcher: State): State {
  const { ResultPath, ...rest } = catcher;
  return ResultPath === '$' || ResultPath === undefined ? rest : { ...rest, ResultPath };
}

/** Every state by name, also inside Map and Parallel: names are unique across a whole machine. */
function allStates(part: State): readonly (readonly [string, State])[] {
  return Object.entries(Object(part['States'])).flatMap(([name, value]) => {
    const state = value as State;
    const branches = Array.isArray(state['Branches']) ? state['Branches'] : [];
    const inner = [state['ItemProcessor'], state['Iterator'], ...branches].filter((one) => one !== undefined);
    return [[name, state] as const, ...inner.flatMap((one) => allStates(one as State))];
  });
}
