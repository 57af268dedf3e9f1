import { describe, expect, test } from 'vitest';
import { Next } from '#contract/run.ts';
import { runDefinition } from '#infra/constructs/run-definition.ts';
import { synthesize } from '#test/infra/synthesized.ts';

interface LambdaProperties {
  readonly Timeout: number;
  readonly Environment?: { readonly Variables: Readonly<Record<string, unknown>> };
}

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
    expect([ways['harvest'], States.Harvest.Next]).toEqual(['Harvest', 'Turn']);
  });
});

describe('a hand of the run', () => {
  test('is the function that the harness has assigned to the call', () => {
    for (const state of [hand.UseHand, hand.UseSandbox]) {
      expect(state.Parameters).toEqual({ 'FunctionName.$': '$.call.function', 'Payload.$': '$' });
      expect(state.TimeoutSecondsPath).toBe('$.call.timeoutSeconds');
    }
  });

  test('gets ids and names alone, and ends with the call that it made and no output of its own', () => {
    expect(States.UseHands.ItemSelector).toEqual({
      do: 'call',
      'session.$': '$.session',
      'thread.$': '$.thread',
      'call.$': '$$.Map.Item.Value',
    });
    for (const state of [hand.UseHand, hand.UseSandbox]) {
      expect(state).toMatchObject({ ResultPath: null, OutputPath: '$.call', End: true });
    }
  });

  test('that fails has an outcome with the call’s id and does not fail the execution', () => {
    for (const state of [hand.UseHand, hand.UseSandbox]) {
      expect(state.Catch.at(-1)).toEqual({ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'HandFailed' });
    }
    for (const state of [hand.HandFailed, hand.NotProvisioned]) {
      expect(state.Parameters).toMatchObject({ 'id.$': '$.call.id', 'sincePosition.$': '$.call.sincePosition' });
      expect(state.End).toBe(true);
    }
    expect(hand.HandFailed.Parameters['error.$']).toBe('$.failure.Error');
  });

  test('without a sandbox gets one once, so that each call ends', () => {
    const notReady = { ErrorEquals: ['SandboxNotReady'], ResultPath: null };
    expect(hand.UseHand.Catch[0]).toEqual({ ...notReady, Next: 'Provision' });
    expect(hand.UseSandbox.Catch[0]).toEqual({ ...notReady, Next: 'NotProvisioned' });
    expect(hand.Provision.Next).toBe('UseSandbox');
    for (const state of [hand.UseHand, hand.UseSandbox]) {
      expect(state.Retry[0]).toEqual({
        ErrorEquals: ['SandboxNotReady', 'SandboxLost', 'WayOutNotReady'],
        MaxAttempts: 0,
      });
    }
  });

  test('whose programs wait for a proxy has one provided, and is joined whatever comes of that', () => {
    for (const state of [hand.UseHand, hand.UseSandbox]) {
      expect(state.Catch[1]).toEqual({ ErrorEquals: ['WayOutNotReady'], ResultPath: null, Next: 'ProvideWayOut' });
    }
    const { Next, Catch, ResultPath, Parameters } = hand.ProvideWayOut;
    expect({ Next, ResultPath }).toEqual({ Next: 'UseSandbox', ResultPath: '$.wayOut' });
    expect(Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath, Next }]);
    expect(Parameters.Payload).toEqual({ wayOut: 'awaited', 'session.$': '$.session' });
  });

  test('that found its sandbox lost has it stopped, and ends as any other', () => {
    for (const state of [hand.UseHand, hand.UseSandbox]) {
      expect(state.Catch[2]).toEqual({ ErrorEquals: ['SandboxLost'], ResultPath: null, Next: 'StopLost' });
    }
    expect(hand.StopLost.Parameters.Payload).toEqual({
      ...{ stop: 'lost', 'session.$': '$.session', 'call.$': '$.call' },
    });
    for (const state of [hand.StopLost, hand.NotStopped])
      expect(state).toMatchObject({ OutputPath: '$.call', End: true });
    expect(hand.StopLost.Catch).toMatchObject([{ ErrorEquals: ['States.ALL'], Next: 'NotStopped' }]);
  });

  test('that got no sandbox has an error of its own, which says that the command did not run', () => {
    expect(hand.Provision.Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath: null, Next: 'NotProvisioned' }]);
    expect(hand.NotProvisioned.Parameters).toHaveProperty('error', 'SandboxUnavailable');
  });

  test('is retried more often while its sandbox starts than while it runs a command', () => {
    expect(hand.Provision.Retry).toEqual([
      { ErrorEquals: ['States.ALL'], IntervalSeconds: 2, MaxAttempts: 6, BackoffRate: 2, MaxDelaySeconds: 30 },
    ]);
    for (const state of [hand.UseHand, hand.UseSandbox]) {
      expect(state.Retry[1]).toMatchObject({ ErrorEquals: ['States.ALL'], MaxAttempts: 3 });
    }
  });

  test('gets from provision only a generation: neither address nor token enters the history', () => {
    expect(hand.Provision.ResultSelector).toEqual({ 'generation.$': '$.Payload.generation' });
  });
});

test('a harvest is repeated like a call, and a turn follows when it fails, too', () => {
  expect(States.Harvest.Retry).toEqual(hand.UseHand.Retry.slice(1));
  expect(States.Harvest.Catch).toEqual([{ ErrorEquals: ['States.ALL'], ResultPath: null, Next: 'Turn' }]);
});

test('a run that is too long continues in the execution that the harness names, with only ids as input', () => {
  expect(States.StartNextRun.Parameters).toEqual({
    'StateMachineArn.$': '$$.StateMachine.Id',
    'Name.$': '$.turn.execution',
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
  const functions = Object.values(synthesize().template.Resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::Lambda::Function' ? [Properties as unknown as LambdaProperties] : [],
  );
  const timeoutOf = (entry: string) =>
    functions.find(({ Environment }) => Environment?.Variables['POWERTOOLS_SERVICE_NAME'] === entry)?.Timeout ?? 0;
  const limits = Object.values(tasks).flatMap((state) => ('TimeoutSeconds' in state ? [state.TimeoutSeconds] : []));
  expect(limits).toEqual(
    ['harness', 'execute', 'provision', 'provision', 'provision'].map((entry) => timeoutOf(entry) + 30),
  );
  const hands = functions.map(({ Environment }) => Environment?.Variables['HANDS']);
  const waits = [...JSON.stringify(hands).matchAll(/timeoutSeconds[^\d]*(\d+)/g)].map(([, seconds]) => Number(seconds));
  expect(waits).toEqual(['execute', 'web-fetch', 'mcp-proxy'].map((entry) => timeoutOf(entry) + 15));
});
