/**
 * Runtimes that the files of one worker process use one after another, because a start and the functions' first calls
 * take seconds of processor time. A file gets one that is at rest, with the API key of a new workspace and a model that
 * has forgotten every request.
 */
import { engineClient } from '#test/runtime/engine-client.ts';
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { ApiKeyId, Instant, WorkspaceId } from '#contract/ids.ts';
import { chooseSandbox } from '#infra/local/tasks/choose-sandbox.ts';
import { startStandIn, type StandIn } from '#test/model/stand-in.ts';
import { runFolder } from '#test/run-cache.ts';
import { CDK_OUT } from '#test/synth.ts';
import { tableIn } from '#test/runtime/clients.ts';
import { startWatchedRuntime, type WatchedRuntime } from '#test/runtime/watched-runtime.ts';

export interface Lent {
  readonly runtime: WatchedRuntime;
  readonly standIn: StandIn;
  readonly data: string;
  /** Ends it, or lets the next file use it. */
  close(): Promise<void>;
}

interface RuntimeWishes {
  readonly cdkOut: string;
  readonly data: string;
  readonly standIn: StandIn;
  /** @default any free port */
  readonly port?: number | undefined;
}

/** Step Functions waits for seconds before it repeats a state that failed. Tests that kill functions cannot. */
const RETRY_INTERVAL_MS = 20;

export async function startRuntimeFor(wishes: RuntimeWishes): Promise<WatchedRuntime> {
  const { cdkOut, data, standIn, port = 0 } = wishes;
  return startWatchedRuntime({
    ...{ cdkOut, data, port },
    sandbox: await chooseSandbox({ asked: null, realModel: false }),
    model: { baseUrl: standIn.url, apiKey: 'sk-test' },
    retryIntervalMs: RETRY_INTERVAL_MS,
  });
}

/** What a file leaves running ends within this time, or its runtime ends with it. */
const REST_MS = 1000;

type Resting = Omit<Lent, 'close'>;

/** The runtime of the template that the service tests share, while no file uses it. It ends with the process. */
let resting: Resting | null = null;

export async function borrowRuntime(): Promise<Lent> {
  const lent = resting ?? (await start());
  resting = null;
  const apiKey = await newWorkspaceKey(lent.runtime);
  return { ...lent, runtime: { ...lent.runtime, apiKey }, close: () => takeBack(lent) };
}

async function start(): Promise<Resting> {
  const standIn = await startStandIn();
  const data = runFolder();
  return { standIn, data, runtime: await startRuntimeFor({ cdkOut: CDK_OUT, data, standIn }) };
}

async function takeBack(lent: Resting): Promise<void> {
  const { runtime, standIn } = lent;
  runtime.faults.disarm();
  if (resting !== null || !(await isAtRest(runtime))) return end(lent);
  // A function is not told that a client has left its stream. Those that followers left end by themselves.
  for (let looks = 0; looks < 15 && runtime.isRunning('stream'); looks += 1) await sleep(20);
  if (runtime.isRunning('stream')) await runtime.faults.kill('stream');
  await runtime.faults.loseSandbox();
  standIn.restart();
  resting = lent;
}

async function isAtRest({ aws }: WatchedRuntime): Promise<boolean> {
  const idle = aws.stepFunctions.idle().then(() => true);
  return Promise.race([idle, sleep(REST_MS, false)]);
}

async function end({ runtime, standIn, data }: Resting): Promise<void> {
  await runtime.close();
  await standIn.close();
  rmSync(data, { recursive: true, force: true });
}

/** The service itself issues only the first key, so this writes the row of another one into the engine. */
async function newWorkspaceKey(runtime: WatchedRuntime): Promise<string> {
  const dynamodb = engineClient(runtime);
  const [secret, id] = [randomUUID(), randomUUID().replaceAll('-', '').slice(0, 22)];
  await createApiKeys(dynamodb, tableIn(runtime, 'RECORDS_TABLE')).issue(secret, {
    id: ApiKeyId.parse(`apikey_01${id}`),
    workspace: WorkspaceId.parse(`wrkspc_01${id}`),
    createdAt: Instant.parse(new Date().toISOString()),
  });
  dynamodb.destroy();
  return secret;
}
