/**
 * The run in Amazon States Language: turns and hands until the session is idle. States pass ids, counts and names only,
 * because an execution's history keeps every input and output. The deployment fills in `${…}`.
 */
import { SANDBOX_LOST, SANDBOX_NOT_READY, SANDBOX_UNAVAILABLE, WAY_OUT_NOT_READY } from '#contract/run.ts';

const INVOKE = 'arn:${AWS::Partition}:states:::lambda:invoke';
const START = 'arn:${AWS::Partition}:states:::states:startExecution';

/** A repeated turn reads the log and goes on from there, so the run also repeats a function that ran out of time. */
const RETRY_TURN = [
  { ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 },
];
/** Missing capacity, throttling and a slow image of ECS take tens of seconds to pass. */
const RETRY_PROVISION = [
  { ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 },
];
/** Each attempt finds what the one before has done. */
const RETRY_HAND = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2 }];
/** A hand that fails does not fail the execution: the next turn tells the model. */
const NOT_PROVISIONED = { ResultPath: null, Next: 'NotProvisioned' };
/** Just above the functions' own limit, so that an execution does not wait for a lost answer. */
const TIMEOUT_SECONDS = 930;

const useHand = {
  ProcessorConfig: { Mode: 'INLINE' },
  StartAt: 'UseHand',
  States: {
    UseHand: callHand({ ResultPath: null, Next: 'Provision' }),
    Provision: {
      Type: 'Task',
      Resource: INVOKE,
      Parameters: { FunctionName: '${Provision}', 'Payload.$': '$' },
      ResultSelector: { 'generation.$': '$.Payload.generation' },
      ResultPath: '$.sandbox',
      TimeoutSeconds: TIMEOUT_SECONDS,
      Retry: RETRY_PROVISION,
      Catch: [{ ErrorEquals: ['States.ALL'], ...NOT_PROVISIONED }],
      Next: 'UseSandbox',
    },
    // The sandbox may be lost in between. There is no second Provision, so that a call always ends.
    UseSandbox: callHand(NOT_PROVISIONED),
    // A program of the call waits for an egress proxy, and the call runs on. Whatever comes of this, the next state joins it.
    ProvideWayOut: {
      Type: 'Task',
      Resource: INVOKE,
      Parameters: { FunctionName: '${Provision}', Payload: { wayOut: 'awaited', 'session.$': '$.session' } },
      ResultSelector: { 'asked.$': '$.StatusCode' },
      ResultPath: '$.wayOut',
      TimeoutSeconds: TIMEOUT_SECONDS,
      Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 2 }],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.wayOut', Next: 'UseSandbox' }],
      Next: 'UseSandbox',
    },
    // The call has its result. What is not stopped here is left to the sweep.
    StopLost: {
      Type: 'Task',
      Resource: INVOKE,
      Parameters: {
        FunctionName: '${Provision}',
        Payload: { stop: 'lost', 'session.$': '$.session', 'call.$': '$.call' },
      },
      ResultPath: null,
      OutputPath: '$.call',
      TimeoutSeconds: TIMEOUT_SECONDS,
      Retry: [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 2 }],
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: null, Next: 'NotStopped' }],
      End: true,
    },
    NotStopped: { Type: 'Pass', OutputPath: '$.call', End: true },
    // The call never reached a sandbox, and the next turn says so. After HandFailed it may have run.
    NotProvisioned: failed({ error: SANDBOX_UNAVAILABLE }),
    HandFailed: failed({ 'error.$': '$.failure.Error' }),
  },
};

/** Calls the function of the call's kind; the role of the machine names the functions that it may be. */
function callHand(whenNotReady: object) {
  return {
    Type: 'Task',
    Resource: INVOKE,
    Parameters: { 'FunctionName.$': '$.call.function', 'Payload.$': '$' },
    ResultPath: null,
    OutputPath: '$.call',
    TimeoutSecondsPath: '$.call.timeoutSeconds',
    Retry: [{ ErrorEquals: [SANDBOX_NOT_READY, SANDBOX_LOST, WAY_OUT_NOT_READY], MaxAttempts: 0 }, ...RETRY_HAND],
    Catch: [
      { ErrorEquals: [SANDBOX_NOT_READY], ...whenNotReady },
      { ErrorEquals: [WAY_OUT_NOT_READY], ResultPath: null, Next: 'ProvideWayOut' },
      { ErrorEquals: [SANDBOX_LOST], ResultPath: null, Next: 'StopLost' },
      { ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'HandFailed' },
    ],
    End: true,
  };
}

/** An outcome is of one wait: a call that had to wait goes to its hand again, from another position of the log on. */
function failed<Failure extends object>(error: Failure) {
  const ofCall = { 'id.$': '$.call.id', 'sincePosition.$': '$.call.sincePosition' };
  return { Type: 'Pass', Parameters: { ...ofCall, ...error }, End: true };
}

export const runDefinition = {
  StartAt: 'Turn',
  States: {
    Turn: {
      Type: 'Task',
      Resource: INVOKE,
      Parameters: { FunctionName: '${Harness}', 'Payload.$': '$' },
      OutputPath: '$.Payload',
      TimeoutSeconds: TIMEOUT_SECONDS,
      Retry: RETRY_TURN,
      Next: 'AfterTurn',
    },
    AfterTurn: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.turn.do', StringEquals: 'tools', Next: 'UseHands' },
        { Variable: '$.turn.do', StringEquals: 'harvest', Next: 'Harvest' },
        { Variable: '$.turn.do', StringEquals: 'retry', Next: 'Backoff' },
        { Variable: '$.turn.do', StringEquals: 'again', Next: 'Turn' },
        { Variable: '$.turn.do', StringEquals: 'long', Next: 'StartNextRun' },
      ],
      Default: 'Done',
    },
    UseHands: {
      Type: 'Map',
      ItemsPath: '$.turn.calls',
      ItemSelector: { do: 'call', 'session.$': '$.session', 'thread.$': '$.thread', 'call.$': '$$.Map.Item.Value' },
      ItemProcessor: useHand,
      ResultPath: '$.hands',
      Next: 'Turn',
    },
    // The next turn ends it, also where this fails.
    Harvest: {
      Type: 'Task',
      Resource: INVOKE,
      Parameters: {
        FunctionName: '${Execute}',
        Payload: { harvest: 'turn', 'session.$': '$.session', 'thread.$': '$.thread', 'since.$': '$.turn.since' },
      },
      ResultPath: null,
      TimeoutSeconds: TIMEOUT_SECONDS,
      Retry: RETRY_HAND,
      Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: null, Next: 'Turn' }],
      Next: 'Turn',
    },
    Backoff: { Type: 'Wait', SecondsPath: '$.turn.waitSeconds', Next: 'Turn' },
    // An execution fails at 25,000 history events. The harness increases `run` and names the next execution, then asks for it.
    StartNextRun: {
      Type: 'Task',
      Resource: START,
      Parameters: {
        'StateMachineArn.$': '$$.StateMachine.Id',
        'Name.$': '$.turn.execution',
        Input: { 'session.$': '$.session', 'thread.$': '$.thread', 'run.$': '$.run' },
      },
      Retry: [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], MaxAttempts: 0 }, ...RETRY_TURN],
      Catch: [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], ResultPath: null, Next: 'Done' }],
      Next: 'Done',
    },
    Done: { Type: 'Succeed' },
  },
};
