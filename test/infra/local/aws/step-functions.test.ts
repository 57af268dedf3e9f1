import { SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { prepareDefinition } from '#infra/local/aws/step-functions/definition.ts';
import { openStepFunctions, type StepFunctions } from '#infra/local/aws/step-functions/open-step-functions.ts';
import { createVerdicts } from '#infra/local/iam/verdicts.ts';
import type { AwsRequest } from '#infra/local/aws/service.ts';
import type { Invoke } from '#infra/local/lambda/invoke.ts';
import type { Template } from '#infra/local/template/parts.ts';
import {
  removeScratchDirs,
  RUN_ARN,
  scratchDir,
  smallTemplate,
  startWorld,
} from '#test/infra/local/aws/aws.fixture.ts';

const INPUT = '{"session":"sesn_1","run":1}';
const template = smallTemplate();

interface Given {
  readonly invoke: Invoke;
  readonly dataDir?: string;
  readonly template?: Template;
  readonly retryIntervalMs?: number;
}

const opened: StepFunctions[] = [];

function open({ invoke, dataDir = scratchDir(), template: given = template, retryIntervalMs = 1 }: Given) {
  const reports: string[] = [];
  const service = openStepFunctions({
    ...given,
    verdicts: createVerdicts(given.roles),
    dataDir,
    invoke,
    report: (message) => void reports.push(message),
    retryIntervalMs,
  });
  opened.push(service);
  const call = async (operation: string, input: object) => {
    const request = { operation, body: Buffer.from(JSON.stringify(input)) } as AwsRequest;
    return JSON.parse(String((await service.read(request).answer()).body));
  };
  const start = async (name: string, input: string = INPUT): Promise<string> =>
    (await call('StartExecution', { stateMachineArn: RUN_ARN, name, input })).executionArn;
  const finish = async (name: string, input?: string) => {
    const executionArn = await start(name, input);
    await service.idle();
    return service.executions(RUN_ARN).find(({ arn }) => arn === executionArn);
  };
  return { service, call, start, finish, reports };
}

afterEach(async () => {
  for (const service of opened.splice(0)) await service.close();
});
afterAll(removeScratchDirs);

const named = (name: string, message = 'why'): Error => Object.assign(new Error(message), { name });
const isHarness = (arn: string): boolean => arn.endsWith('Harness');
const idle = { session: 'sesn_1', run: 1, turn: { do: 'idle' } };
const calls = (...ids: string[]) => ({
  ...idle,
  turn: { do: 'tools', calls: ids.map((id) => ({ hand: 'sandbox', id })) },
});

/** Answers one invocation of the harness after the other; the last answer is repeated. */
function harness(answers: readonly unknown[], execute: Invoke = async () => null) {
  const payloads: unknown[] = [];
  const invoke: Invoke = async (arn, payload) => {
    if (!isHarness(arn)) return execute(arn, payload);
    payloads.push(payload);
    const answer = answers[Math.min(payloads.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { payloads, invoke };
}

describe('an execution of the state machine', () => {
  test('runs turns and hands, with each answer in its place', async () => {
    const { payloads, invoke } = harness([calls('a', 'b'), idle]);
    const { finish } = open({ invoke });
    expect(await finish('sesn_1-1')).toMatchObject({
      input: INPUT,
      end: { status: 'SUCCEEDED', output: JSON.stringify(idle) },
    });
    expect(payloads).toEqual([
      JSON.parse(INPUT),
      {
        ...calls('a', 'b'),
        hands: [
          { call: 'a', outcome: 'done' },
          { call: 'b', outcome: 'done' },
        ],
      },
    ]);
  });

  test('gives a hand the session and its own call', async () => {
    const given: unknown[] = [];
    const { invoke } = harness([calls('a', 'b'), idle], async (_arn, payload) => void given.push(payload));
    await open({ invoke }).finish('sesn_1-1');
    expect(given).toEqual([
      { session: 'sesn_1', call: { hand: 'sandbox', id: 'a' } },
      { session: 'sesn_1', call: { hand: 'sandbox', id: 'b' } },
    ]);
  });

  test('is counted as AWS bills it: each state entered, also within a Map', async () => {
    const { service, finish } = open({ invoke: harness([calls('a', 'b'), idle]).invoke });
    await finish('sesn_1-1');
    const hand = ['Execute', 'HandDone'];
    const entered = ['Turn', 'AfterTurn', 'UseHands', ...hand, ...hand, 'Turn', 'AfterTurn', 'Done'];
    await expect.poll(service.transitions).toBe(entered.length);
  });

  test('waits as long as the turn says', async () => {
    const waiting = { ...idle, turn: { do: 'retry', waitSeconds: 0 } };
    const { payloads, invoke } = harness([waiting, waiting, idle]);
    await open({ invoke }).finish('sesn_1-1');
    expect(payloads).toHaveLength(3);
  });

  test('starts the next run of the same machine once', async () => {
    const long = { ...idle, run: 2, turn: { do: 'long' } };
    const { service, finish, call } = open({ invoke: harness([long, idle]).invoke });
    expect(await finish('sesn_1-1')).toMatchObject({ end: { status: 'SUCCEEDED' } });
    const listed = service.executions(RUN_ARN).map(({ name, input }) => [name, input]);
    expect(listed.toSorted()).toEqual([
      ['sesn_1-1', INPUT],
      ['sesn_1-2', '{"session":"sesn_1","run":2}'],
    ]);
    const taken = await call('StartExecution', { stateMachineArn: RUN_ARN, name: 'sesn_1-2', input: '{}' }).catch(
      (error) => error.code,
    );
    expect(taken).toBe('ExecutionAlreadyExists');
  });

  test('succeeds when its next run exists already', async () => {
    const long = { ...idle, run: 1, turn: { do: 'long' } };
    const { finish } = open({ invoke: harness([idle, long]).invoke });
    await finish('sesn_1-1');
    expect(await finish('other')).toMatchObject({ end: { status: 'SUCCEEDED' } });
  });
});

describe('an error of a function in an execution', () => {
  test('is retried, and a later answer counts', async () => {
    const { payloads, invoke } = harness([named('Lambda.Unknown'), named('Sandbox.Timedout'), idle]);
    const { service, finish } = open({ invoke });
    expect(await finish('sesn_1-1')).toMatchObject({ end: { status: 'SUCCEEDED' } });
    expect(payloads).toHaveLength(3);
    // AWS bills a retry as a transition.
    await expect.poll(service.transitions).toBe(['Turn', 'retry', 'retry', 'AfterTurn', 'Done'].length);
  });

  test('ends the execution after the last retry, under its own name', async () => {
    const { payloads, invoke } = harness([named('LogUnreachable', 'no content here')]);
    const ended = await open({ invoke }).finish('sesn_1-1');
    expect(payloads).toHaveLength(7);
    expect(ended).toMatchObject({ end: { status: 'FAILED', error: 'LogUnreachable' } });
    expect(JSON.parse(ended?.end?.cause ?? '')).toEqual({
      errorType: 'LogUnreachable',
      errorMessage: 'no content here',
    });
  });

  test('is caught by name within a Map, and the other items continue', async () => {
    const tries: string[] = [];
    const { payloads, invoke } = harness([calls('good', 'bad'), idle], async (_arn, payload) => {
      const { id } = (payload as { call: { id: string } }).call;
      tries.push(id);
      if (id === 'bad') throw named('Sandbox.Timedout');
      return null;
    });
    await open({ invoke }).finish('sesn_1-1');
    expect(tries.filter((id) => id === 'bad')).toHaveLength(4);
    expect(tries.filter((id) => id === 'good')).toHaveLength(1);
    expect(payloads[1]).toMatchObject({
      hands: [
        { call: 'good', outcome: 'done' },
        { call: 'bad', outcome: 'failed', error: 'Sandbox.Timedout' },
      ],
    });
  });

  test('for an answer above the quota ends the execution without a retry', async () => {
    const { payloads, invoke } = harness([{ ...idle, text: 'x'.repeat(262_144) }]);
    expect(await open({ invoke }).finish('sesn_1-1')).toMatchObject({
      end: { status: 'FAILED', error: 'States.DataLimitExceeded' },
    });
    expect(payloads).toHaveLength(1);
  });

  test('is reported with the missing statement when the machine may not invoke the function', async () => {
    const roles = template.roles.filter(({ name }) => name !== 'Brainstem-RunRole');
    const { finish, reports } = open({ invoke: async () => idle, template: { ...template, roles } });
    expect(await finish('sesn_1-1')).toMatchObject({ end: { status: 'FAILED', error: 'Lambda.AWSLambdaException' } });
    expect(reports[0]).toContain('Missing statement: {"Effect":"Allow","Action":"lambda:InvokeFunction"');
  });

  test('is retried after waits that grow', async () => {
    const { invoke } = harness([named('Lambda.Unknown'), idle]);
    const service = openStepFunctions({
      ...template,
      verdicts: createVerdicts(template.roles),
      dataDir: scratchDir(),
      invoke,
      report: () => {},
    });
    opened.push(service);
    const startedAt = performance.now();
    const body = Buffer.from(JSON.stringify({ stateMachineArn: RUN_ARN, name: 'x' }));
    await service.read({ operation: 'StartExecution', body } as AwsRequest).answer();
    await service.idle();
    expect(performance.now() - startedAt).toBeGreaterThan(950);
  });
});

describe('the start of an execution', () => {
  test('with the name and input of a running one returns that one; a later start or another input is refused', async () => {
    const turn = Promise.withResolvers<unknown>();
    const { service, start } = open({ invoke: () => turn.promise });
    const first = await start('sesn_1-1');
    expect(await start('sesn_1-1')).toBe(first);
    await expect(start('sesn_1-1', '{"session":"sesn_2"}')).rejects.toMatchObject({ code: 'ExecutionAlreadyExists' });
    turn.resolve(idle);
    await service.idle();
    await expect(start('sesn_1-1')).rejects.toMatchObject({ code: 'ExecutionAlreadyExists' });
  });

  test.each([
    ['an input that is not JSON', { name: 'a', input: '{' }, 'InvalidExecutionInput'],
    ['a name with a slash', { name: 'a/b' }, 'InvalidName'],
    ['a machine that is not there', { name: 'a', stateMachineArn: 'arn:x' }, 'StateMachineDoesNotExist'],
  ])('with %s is refused', async (_name, input, code) => {
    const { call } = open({ invoke: async () => idle });
    await expect(call('StartExecution', { stateMachineArn: RUN_ARN, ...input })).rejects.toMatchObject({ code });
  });

  test('is listed while it runs, page by page, and with its end after that', async () => {
    const turn = Promise.withResolvers<unknown>();
    const { call, start, service } = open({ invoke: () => turn.promise });
    for (const name of ['a', 'b', 'c']) await start(name);
    const list = (input: object) => call('ListExecutions', { stateMachineArn: RUN_ARN, ...input });
    const names = ({ executions }: { executions: readonly { name: string }[] }) => executions.map(({ name }) => name);
    const first = await list({ statusFilter: 'RUNNING', maxResults: 2 });
    const second = await list({ statusFilter: 'RUNNING', maxResults: 2, nextToken: first.nextToken });
    expect([...names(first), ...names(second)].toSorted()).toEqual(['a', 'b', 'c']);
    expect(second).not.toHaveProperty('nextToken');
    turn.resolve(idle);
    await service.idle();
    expect(names(await list({ statusFilter: 'RUNNING' }))).toEqual([]);
    expect((await list({})).executions).toMatchObject([{ status: 'SUCCEEDED' }, {}, {}]);
    await expect(list({ maxResults: 1001 })).rejects.toMatchObject({ code: 'ValidationException' });
    await expect(list({ nextToken: 'x' })).rejects.toMatchObject({ code: 'InvalidToken' });
  });

  test('through the SDK tells when it was', async () => {
    const turn = Promise.withResolvers<unknown>();
    const world = await startWorld({ invoke: () => turn.promise });
    const client = new SFNClient(world.as('Api'));
    const start = new StartExecutionCommand({ stateMachineArn: RUN_ARN, name: 'n', input: INPUT });
    const { startDate } = await client.send(start);
    expect(Math.abs(Date.now() - Number(startDate))).toBeLessThan(60_000);
    const { aws } = world;
    expect(aws.stepFunctions.executions(RUN_ARN)).toMatchObject([{ name: 'n', input: INPUT, end: null }]);
    turn.resolve(idle);
    await aws.stepFunctions.idle();
    await expect(client.send(start)).rejects.toMatchObject({ name: 'ExecutionAlreadyExists' });
    await aws.close();
  });
});

describe('executions after a restart of the runtime', () => {
  const never: Invoke = () => new Promise(() => {});

  test('start again with the same input when they were running, and stay ended when they had ended', async () => {
    const dataDir = scratchDir();
    const first = open({
      invoke: async (_arn, payload) => (JSON.stringify(payload).includes('sesn_2') ? never('', null) : idle),
      dataDir,
    });
    await first.finish('sesn_1-1');
    await first.start('sesn_2-1', '{"session":"sesn_2","run":1}');
    // No close: the first runtime was killed. A kill in the middle of a write leaves half a line.
    appendFileSync(join(dataDir, 'executions.jsonl'), '{"arn":"sesn_3-1","mach');

    const { payloads, invoke } = harness([idle]);
    const second = open({ invoke, dataDir });
    expect(second.service.executions(RUN_ARN).map(({ name }) => name)).toHaveLength(2);
    expect(payloads).toEqual([]);
    expect(second.service.resume()).toBe(1);
    await second.service.idle();
    expect(payloads).toEqual([{ session: 'sesn_2', run: 1 }]);
    await expect(second.start('sesn_1-1')).rejects.toMatchObject({ code: 'ExecutionAlreadyExists' });
    expect(open({ invoke, dataDir }).service.resume()).toBe(0);
  });

  test('continue also when the runtime was closed in order', async () => {
    const dataDir = scratchDir();
    const first = open({ invoke: never, dataDir });
    await first.start('sesn_1-1');
    await first.service.close();
    opened.length = 0;
    expect(open({ invoke: never, dataDir }).service.resume()).toBe(1);
  });

  test('run no further task after the runtime has closed, also when one waited to be retried', async () => {
    const invoked: string[] = [];
    const invoke: Invoke = async (arn) => {
      invoked.push(arn);
      throw named('Lambda.Unknown');
    };
    const { service, start } = open({ invoke, retryIntervalMs: 10_000 });
    const executionArn = await start('sesn_1-1');
    const failed = () => service.history(executionArn).some(({ type }) => type === 'StateFailed');
    await expect.poll(failed).toBe(true);
    await service.close();
    await service.idle();
    await new Promise((later) => setImmediate(later));
    expect(invoked).toHaveLength(1);
    expect(service.executions(RUN_ARN)).toMatchObject([{ end: null }]);
  });

  test('are read from a journal of starts and ends, one line each', async () => {
    const dataDir = scratchDir();
    await open({ invoke: async () => idle, dataDir }).finish('sesn_1-1');
    open({ invoke: never, dataDir });
    const lines = readFileSync(join(dataDir, 'executions.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => Object.keys(JSON.parse(line))[0])).toEqual(['arn', 'ended']);
  });
});

test('the history of an execution has the input and output of each state', async () => {
  const { service, start } = open({ invoke: harness([calls('a'), idle]).invoke });
  const executionArn = await start('sesn_1-1');
  await service.idle();
  const entered = service.history(executionArn).filter(({ type }) => type === 'StateEntered');
  expect(entered.map(({ state }) => Object(state).name)).toEqual([
    'Turn',
    'AfterTurn',
    'UseHands',
    'Execute',
    'HandDone',
    'Turn',
    'AfterTurn',
    'Done',
  ]);
});

test('a task without a limit has the longest possible timer, not the 60 s of the interpreter', () => {
  const task = { Type: 'Task', Resource: 'arn:aws:states:::lambda:invoke', Parameters: {}, End: true };
  const States = {
    Unlimited: task,
    Limited: { ...task, TimeoutSeconds: 930 },
    Forever: { ...task, TimeoutSeconds: 99_999_999 },
  };
  const { definition } = prepareDefinition({
    name: 'm',
    arn: '',
    roleArn: '',
    definition: { StartAt: 'Unlimited', States },
  });
  expect(Object.values(definition.States).map((state) => Object(state).TimeoutSeconds)).toEqual([
    2_000_000, 930, 2_000_000,
  ]);
});

describe('a state machine that cannot be interpreted', () => {
  const withState = (state: unknown): Template => {
    const [machine] = template.machines;
    if (machine === undefined) throw new Error('the small stack has a machine');
    return { ...template, machines: [{ ...machine, definition: { StartAt: 'Odd', States: { Odd: state } } }] };
  };

  test.each([
    [
      'an unsupported resource',
      { Type: 'Task', Resource: 'arn:aws:states:::sqs:sendMessage', End: true },
      /state Odd calls arn:aws:states:::sqs:sendMessage/,
    ],
    [
      'a context field the interpreter lacks',
      { Type: 'Pass', Parameters: { 'n.$': '$$.State.RetryCount' }, End: true },
      /uses "\$\$\.State/,
    ],
    ['a target that does not exist', { Type: 'Pass', Next: 'Nowhere' }, /Nowhere/],
  ])('because of %s is refused at the start', (_name, state, message) => {
    expect(() => open({ invoke: async () => null, template: withState(state) })).toThrow(message);
  });
});
