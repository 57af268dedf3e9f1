/** The run's definition in the local interpreter, with functions that are played: which states are entered, and how often. */
import { afterAll, expect, test } from 'vitest';
import { runDefinition } from '#infra/constructs/run-definition.ts';
import { openStepFunctions } from '#infra/local/aws/step-functions/open-step-functions.ts';
import type { AwsRequest } from '#infra/local/aws/service.ts';
import { removeScratchDirs, RUN_ARN, scratchDir, smallTemplate } from '#test/infra/local/aws/aws.fixture.ts';

afterAll(removeScratchDirs);

type Played = Readonly<Record<string, (payload: { readonly sandbox?: unknown }) => unknown>>;

const arnOf = (name: string) => `arn:aws:lambda:us-east-1:000000000000:function:${name}`;
const failing = (name: string) => () => Promise.reject(Object.assign(new Error('why'), { name }));
const ids = { session: 'sesn_1', thread: 'sthr_1', run: 1 };
const idle = { ...ids, turn: { do: 'idle', calls: [], waitSeconds: 0 } };
const call = (name: string, id: string) => ({
  ...{ function: arnOf(name), timeoutSeconds: 20, id },
  ...{ position: 3, sincePosition: 3 },
});

/** Runs a turn with this answer and one after it. */
async function run(answer: readonly object[] | object, play: Played) {
  const first = Array.isArray(answer) ? { do: 'tools', calls: answer, waitSeconds: 0 } : answer;
  const [part] = smallTemplate().functions;
  const [machine] = smallTemplate().machines;
  if (part === undefined || machine === undefined) throw new Error('the small stack has a function and a machine');
  const text = JSON.stringify(runDefinition)
    .replaceAll('${AWS::Partition}', 'aws')
    .replaceAll(/\$\{(\w+)\}/g, (_all, name: string) => arnOf(name.toLowerCase()));
  const invoked: { readonly name: string; readonly payload: unknown }[] = [];
  let turns = 0;
  const harness = () => {
    turns += 1;
    return turns === 1 ? { ...idle, turn: first } : idle;
  };
  const played: Played = { provision: () => ({ generation: 1 }), ...play, harness };
  const service = openStepFunctions({
    machines: [{ ...machine, definition: JSON.parse(text) }],
    functions: ['provision', 'harness', ...Object.keys(play)].map((name) => ({ ...part, name, arn: arnOf(name) })),
    verdicts: { judge: () => ({ allowed: true }) } as never,
    dataDir: scratchDir(),
    report: (message) => expect.fail(message),
    retryIntervalMs: 1,
    invoke: async (arn, payload) => {
      const name = arn.slice(arn.lastIndexOf(':') + 1);
      invoked.push({ name, payload });
      return played[name]?.(payload as never);
    },
  });
  const body = Buffer.from(JSON.stringify({ stateMachineArn: RUN_ARN, name: 'sesn_1-1', input: JSON.stringify(ids) }));
  await service.read({ operation: 'StartExecution', body } as AwsRequest).answer();
  await service.idle();
  const [execution] = service.executions(RUN_ARN);
  const entered = () =>
    service
      .history(execution?.arn ?? '')
      .flatMap(({ type, state }) =>
        type === 'StateEntered' || type === 'StateRetried' ? [(state as { name: string }).name] : [],
      );
  // The interpreter tells an event some time after it happened.
  await expect.poll(() => entered().at(-1)).toBe('Done');
  await service.close();
  const last = invoked.findLast(({ name }) => name === 'harness')?.payload;
  const made = invoked.filter(({ name }) => name !== 'harness');
  return { status: execution?.end?.status, entered: entered(), hands: Object(last).hands, last, made };
}

const harvest = { do: 'harvest', calls: [], waitSeconds: 0, since: 7 };

test('a harvest before the end of a turn enters three states more than a turn without one', async () => {
  const { status, entered, made } = await run(harvest, { execute: () => null });
  expect(status).toBe('SUCCEEDED');
  expect(entered).toEqual(['Turn', 'AfterTurn', 'Harvest', 'Turn', 'AfterTurn', 'Done']);
  const payload = { harvest: 'turn', session: 'sesn_1', thread: 'sthr_1', since: 7 };
  expect(made).toEqual([{ name: 'execute', payload }]);
});

test('a harvest that fails is tried again, and then the next turn knows which one it was', async () => {
  const { status, made, last } = await run(harvest, { execute: failing('Lambda.Unknown') });
  expect(status).toBe('SUCCEEDED');
  expect(made).toHaveLength(4);
  expect(last).toEqual({ ...ids, turn: harvest });
});

const notReadyOnce = ({ sandbox }: { readonly sandbox?: unknown }) =>
  sandbox === undefined ? failing('SandboxNotReady')() : null;

test('a turn with a call in a sandbox that is used enters seven states', async () => {
  const { status, entered, hands, made } = await run([call('execute', 'a')], { execute: () => null });
  expect(status).toBe('SUCCEEDED');
  expect(entered).toEqual(['Turn', 'AfterTurn', 'UseHands', 'UseHand', 'Turn', 'AfterTurn', 'Done']);
  expect(hands).toEqual([call('execute', 'a')]);
  const payload = { do: 'call', session: 'sesn_1', thread: 'sthr_1', call: call('execute', 'a') };
  expect(made).toEqual([{ name: 'execute', payload }]);
});

test('each parallel call enters one state more, whatever its hand', async () => {
  const calls = [call('execute', 'a'), call('web-fetch', 'b'), call('mcp-proxy', 'c')];
  const quiet = () => null;
  const { entered, made } = await run(calls, { execute: quiet, 'web-fetch': quiet, 'mcp-proxy': quiet });
  expect(entered).toHaveLength(9);
  expect(made.map(({ name }) => name).toSorted()).toEqual(['execute', 'mcp-proxy', 'web-fetch']);
});

test('a sandbox that is not ready is provided, and the call is made then', async () => {
  const { entered, hands, made } = await run([call('execute', 'a')], { execute: notReadyOnce });
  expect(entered.slice(3, 6)).toEqual(['UseHand', 'Provision', 'UseSandbox']);
  expect(entered).toHaveLength(9);
  expect(hands).toEqual([call('execute', 'a')]);
  expect(made.at(-1)?.payload).toMatchObject({ sandbox: { generation: 1 }, call: { id: 'a' } });
});

test.each<[string, Played, string, number]>([
  ['is never ready', { execute: failing('SandboxNotReady') }, 'SandboxUnavailable', 3],
  ['cannot be provided', { execute: notReadyOnce, provision: failing('Fault') }, 'SandboxUnavailable', 8],
  ['breaks after it was provided', { execute: breaking }, 'Lambda.Unknown', 6],
  ['breaks', { execute: failing('Lambda.Unknown') }, 'Lambda.Unknown', 4],
])('a sandbox that %s is told to the next turn', async (_what, play, error, invocations) => {
  const { status, hands, made } = await run([call('execute', 'a')], play);
  expect(status).toBe('SUCCEEDED');
  expect(hands).toEqual([{ id: 'a', sincePosition: 3, error }]);
  expect(made).toHaveLength(invocations);
});

function breaking({ sandbox }: { readonly sandbox?: unknown }) {
  return failing(sandbox === undefined ? 'SandboxNotReady' : 'Lambda.Unknown')();
}
