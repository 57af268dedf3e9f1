/**
 * The run in Amazon States Language: turns and hands until the session is idle. States pass ids, counts and names only,
 * because an execution's history keeps every input and output. The deployment fills in `${…}`.
 */

const INVOKE = 'arn:${Partition}:states:::lambda:invoke';
const START = 'arn:${Partition}:states:::states:startExecution';

/** A repeated turn reads the log and goes on from there, so the run also repeats a function that ran out of time. */
const RETRY_TURN = [
  { ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 },
];
/** Missing capacity, throttling and a slow image of ECS take tens of seconds to pass. */
const RETRY_PROVISION = [
  { ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 },
];
const RETRY_EXECUTE = [{ ErrorEquals: ['States.ALL'], IntervalSeconds: 1, MaxAttempts: 3, BackoffRate: 2 }];
/** A hand that fails does not fail the execution: the next turn tells the model. */
const CATCH_PROVISION = [{ ErrorEquals: ['States.ALL'], ResultPath: null, Next: 'NotProvisioned' }];
const CATCH_EXECUTE = [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'HandFailed' }];
/** Just above the functions' own limit, so that an execution does not wait for a lost answer. */
const TIMEOUT_SECONDS = 930;
const WEB_TIMEOUT_SECONDS = 75;
const MCP_TIMEOUT_SECONDS = 135;

/** Which call an outcome is of: one that had to wait goes to its hand again, from another position of the log on. */
const CALL = { 'call.$': '$.call.id', 'sincePosition.$': '$.call.sincePosition' };

const useHand = {
  ProcessorConfig: { Mode: 'INLINE' },
  StartAt: 'WhichHand',
  States: {
    WhichHand: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.call.hand', StringEquals: 'sandbox', Next: 'Provision' },
        { Variable: '$.call.hand', StringEquals: 'web', Next: 'WebFetch' },
        { Variable: '$.call.hand', StringEquals: 'mcp', Next: 'CallMcpTool' },
      ],
      Default: 'UnknownHand',
    },
    Provision: {
      Type: 'Task',
      Resource: INVOKE,
      Parameters: { FunctionName: '${Provision}', 'Payload.$': '$' },
      ResultSelector: { 'generation.$': '$.Payload.generation' },
      ResultPath: '$.sandbox',
      TimeoutSeconds: TIMEOUT_SECONDS,
      Retry: RETRY_PROVISION,
      Catch: CATCH_PROVISION,
      Next: 'Execute',
    },
    Execute: callHand('${Execute}', { 'Payload.$': '$' }, TIMEOUT_SECONDS),
    WebFetch: callHand('${WebFetch}', { 'Payload.$': '$' }, WEB_TIMEOUT_SECONDS),
    CallMcpTool: callHand(
      '${McpProxy}',
      { Payload: { do: 'call', 'session.$': '$.session', 'thread.$': '$.thread', 'call.$': '$.call' } },
      MCP_TIMEOUT_SECONDS,
    ),
    HandDone: { Type: 'Pass', Parameters: { ...CALL, outcome: 'done' }, End: true },
    // The call never reached a sandbox, and the next turn says so. After HandFailed it may have run.
    NotProvisioned: failed({ error: 'SandboxUnavailable' }),
    HandFailed: failed({ 'error.$': '$.failure.Error' }),
    UnknownHand: failed({ error: 'UnknownHand' }),
  },
};

function callHand(name: string, payload: object, timeoutSeconds: number) {
  return {
    Type: 'Task',
    Resource: INVOKE,
    Parameters: { FunctionName: name, ...payload },
    ResultPath: null,
    TimeoutSeconds: timeoutSeconds,
    Retry: RETRY_EXECUTE,
    Catch: CATCH_EXECUTE,
    Next: 'HandDone',
  };
}

function failed<Failure extends object>(error: Failure) {
  return { Type: 'Pass', Parameters: { ...CALL, outcome: 'failed', ...error }, End: true };
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
        { Variable: '$.turn.do', StringEquals: 'retry', Next: 'Backoff' },
        { Variable: '$.turn.do', StringEquals: 'again', Next: 'Turn' },
        { Variable: '$.turn.do', StringEquals: 'long', Next: 'StartNextRun' },
      ],
      Default: 'Done',
    },
    UseHands: {
      Type: 'Map',
      ItemsPath: '$.turn.calls',
      ItemSelector: { 'session.$': '$.session', 'thread.$': '$.thread', 'call.$': '$$.Map.Item.Value' },
      ItemProcessor: useHand,
      ResultPath: '$.hands',
      Next: 'Turn',
    },
    Backoff: { Type: 'Wait', SecondsPath: '$.turn.waitSeconds', Next: 'Turn' },
    // An execution fails at 25,000 history events. The harness has increased `run` before it asks for the next one.
    StartNextRun: {
      Type: 'Task',
      Resource: START,
      Parameters: {
        'StateMachineArn.$': '$$.StateMachine.Id',
        'Name.$': "States.Format('{}-{}', $.session, $.run)",
        Input: { 'session.$': '$.session', 'thread.$': '$.thread', 'run.$': '$.run' },
      },
      Retry: [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], MaxAttempts: 0 }, ...RETRY_TURN],
      Catch: [{ ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], ResultPath: null, Next: 'Done' }],
      Next: 'Done',
    },
    Done: { Type: 'Succeed' },
  },
};
