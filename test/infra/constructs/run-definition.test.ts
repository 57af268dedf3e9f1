import { describe, expect, test } from 'vitest';
import { HandCall, Next } from '#contract/run.ts';
import { runDefinition } from '#infra/constructs/run-definition.ts';

const { States } = runDefinition;
const hand = States.UseHands.ItemProcessor.States;
const tasks = { ...States, ...hand };

describe('what the harness answers and where the run goes', () => {
  const ways = Object.fromEntries(States.Next.Choices.map(({ StringEquals, Next }) => [StringEquals, Next]));

  test.each(Next.shape.do.options.filter((option) => option !== 'idle'))('%s has a way of its own', (option) => {
    expect(ways).toHaveProperty(option);
  });

  test('idle, and nothing else, ends the run', () => {
    expect(States.Next.Default).toBe('Done');
    expect(Object.keys(ways)).toHaveLength(Next.shape.do.options.length - 1);
  });

  test('tools, waits and queued input come back to a turn', () => {
    expect([ways['again'], States.UseHands.Next, States.Backoff.Next]).toEqual(['Turn', 'Turn', 'Turn']);
  });
});

describe('hands', () => {
  test('a failure or an unknown hand is an outcome with the call’s id, never a failed execution', () => {
    expect(hand.Execute.Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'HandFailed' }]);
    for (const state of [hand.HandFailed, hand.NotProvisioned, hand.UnknownHand]) {
      expect(state.Parameters).toMatchObject({
        'call.$': '$.call.id',
        'sincePosition.$': '$.call.sincePosition',
        outcome: 'failed',
      });
      expect(state.End).toBe(true);
    }
    expect(hand.HandFailed.Parameters['error.$']).toBe('$.failure.Error');
  });

  test('the web is read by a hand of its own, as often as a command is run and with no more to show for it', () => {
    const ways = hand.WhichHand.Choices.map(({ StringEquals, Next }) => [StringEquals, Next]);
    expect(Object.fromEntries(ways)).toEqual({ sandbox: 'Provision', web: 'WebFetch', mcp: 'CallMcpTool' });
    expect(Object.keys(Object.fromEntries(ways))).toEqual(HandCall.shape.hand.options);
    expect(hand.WebFetch).toMatchObject({ Retry: hand.Execute.Retry, Catch: hand.Execute.Catch, ResultPath: null });
  });

  test('an MCP server’s tool is called with ids alone, and by whoever knows for whom', () => {
    expect(hand.CallMcpTool.Parameters).toEqual({
      FunctionName: '${McpProxy}',
      Payload: { do: 'call', 'session.$': '$.session', 'thread.$': '$.thread', 'call.$': '$.call' },
    });
    expect(hand.CallMcpTool).toMatchObject({ Retry: hand.Execute.Retry, Catch: hand.Execute.Catch, ResultPath: null });
  });

  test('a sandbox that never came has an error of its own: what was to run in it has not', () => {
    expect(hand.Provision.Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath: null, Next: 'NotProvisioned' }]);
    expect(hand.NotProvisioned.Parameters).toHaveProperty('error', 'SandboxUnavailable');
  });

  test('a sandbox is waited for more patiently than a command', () => {
    expect(hand.Provision.Retry).toEqual([
      { ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 },
    ]);
    expect(hand.Execute.Retry).toMatchObject([{ MaxAttempts: 3 }]);
  });

  test('provision passes on a generation only: neither address nor token enters the history', () => {
    expect(hand.Provision.ResultSelector).toEqual({ 'generation.$': '$.Payload.generation' });
    expect(hand.Execute.ResultPath).toBeNull();
  });
});

test('a run that is too long goes on in an execution named by session and run, with ids as its only input', () => {
  expect(States.StartNextRun.Parameters).toEqual({
    'StateMachineArn.$': '$$.StateMachine.Id',
    'Name.$': "States.Format('{}-{}', $.session, $.run)",
    Input: { 'session.$': '$.session', 'thread.$': '$.thread', 'run.$': '$.run' },
  });
  expect(States.StartNextRun.Catch).toEqual([
    { ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], ResultPath: null, Next: 'Done' },
  ]);
});

test('each state leads to a state that exists', () => {
  for (const scope of [States, hand]) {
    const text = JSON.stringify(Object.values(scope).map((state) => ({ ...state, ItemProcessor: undefined })));
    const named = [...text.matchAll(/"(?:Next|Default)":"(\w+)"/g)].map(([, name]) => name);
    expect(Object.keys(scope)).toEqual(expect.arrayContaining(named));
  }
});

test('a task gives up on an answer only after its function ran out of time', () => {
  const limits = Object.values(tasks).flatMap((state) => ('TimeoutSeconds' in state ? [state.TimeoutSeconds] : []));
  expect(limits).toEqual([930, 930, 930, 75, 135]);
});
