import { describe, expect, test } from 'vitest';
import { HandCall, Next } from '#contract/run.ts';
import { runDefinition } from '#infra/constructs/run-definition.ts';

const { States } = runDefinition;
const hand = States.UseHands.ItemProcessor.States;
const tasks = { ...States, ...hand };

describe('the state after a turn', () => {
  const ways = Object.fromEntries(States.AfterTurn.Choices.map(({ StringEquals, Next }) => [StringEquals, Next]));

  test.each(Next.shape.do.options.filter((option) => option !== 'idle'))('exists for the answer %s', (option) => {
    expect(ways).toHaveProperty(option);
  });

  test('ends the run after idle, and after no other answer', () => {
    expect(States.AfterTurn.Default).toBe('Done');
    expect(Object.keys(ways)).toHaveLength(Next.shape.do.options.length - 1);
  });

  test('leads from tools, waits and queued input back to a turn', () => {
    expect([ways['again'], States.UseHands.Next, States.Backoff.Next]).toEqual(['Turn', 'Turn', 'Turn']);
  });
});

describe('a hand of the run', () => {
  test('that fails or is unknown has an outcome with the call’s id and does not fail the execution', () => {
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

  test('for web_fetch has a state of its own, with the retries of a command and no output in the history', () => {
    const ways = hand.WhichHand.Choices.map(({ StringEquals, Next }) => [StringEquals, Next]);
    expect(Object.fromEntries(ways)).toEqual({ sandbox: 'Provision', web: 'WebFetch', mcp: 'CallMcpTool' });
    expect(Object.keys(Object.fromEntries(ways))).toEqual(HandCall.shape.hand.options);
    expect(hand.WebFetch).toMatchObject({ Retry: hand.Execute.Retry, Catch: hand.Execute.Catch, ResultPath: null });
  });

  test('for MCP calls gets ids alone', () => {
    expect(hand.CallMcpTool.Parameters).toEqual({
      FunctionName: '${McpProxy}',
      Payload: { do: 'call', 'session.$': '$.session', 'thread.$': '$.thread', 'call.$': '$.call' },
    });
    expect(hand.CallMcpTool).toMatchObject({ Retry: hand.Execute.Retry, Catch: hand.Execute.Catch, ResultPath: null });
  });

  test('that got no sandbox has an error of its own, which says that the command did not run', () => {
    expect(hand.Provision.Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath: null, Next: 'NotProvisioned' }]);
    expect(hand.NotProvisioned.Parameters).toHaveProperty('error', 'SandboxUnavailable');
  });

  test('is retried more often while its sandbox starts than while it runs a command', () => {
    expect(hand.Provision.Retry).toEqual([
      { ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 },
    ]);
    expect(hand.Execute.Retry).toMatchObject([{ MaxAttempts: 3 }]);
  });

  test('gets from provision only a generation: neither address nor token enters the history', () => {
    expect(hand.Provision.ResultSelector).toEqual({ 'generation.$': '$.Payload.generation' });
    expect(hand.Execute.ResultPath).toBeNull();
  });
});

test('a run that is too long continues in an execution named by session and run, with only ids as input', () => {
  expect(States.StartNextRun.Parameters).toEqual({
    'StateMachineArn.$': '$$.StateMachine.Id',
    'Name.$': "States.Format('{}-{}', $.session, $.run)",
    Input: { 'session.$': '$.session', 'thread.$': '$.thread', 'run.$': '$.run' },
  });
  expect(States.StartNextRun.Catch).toEqual([
    { ErrorEquals: ['StepFunctions.ExecutionAlreadyExistsException'], ResultPath: null, Next: 'Done' },
  ]);
});

test('each state of the machine leads to a state that exists', () => {
  for (const scope of [States, hand]) {
    const text = JSON.stringify(Object.values(scope).map((state) => ({ ...state, ItemProcessor: undefined })));
    const named = [...text.matchAll(/"(?:Next|Default)":"(\w+)"/g)].map(([, name]) => name);
    expect(Object.keys(scope)).toEqual(expect.arrayContaining(named));
  }
});

test('the timeout of a task is longer than the timeout of its function', () => {
  const limits = Object.values(tasks).flatMap((state) => ('TimeoutSeconds' in state ? [state.TimeoutSeconds] : []));
  expect(limits).toEqual([930, 930, 930, 75, 135]);
});
