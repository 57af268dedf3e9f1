/**
 * What runs inside a worker thread: loads the function's bundle, then runs its handler for one event after another,
 * the way Lambda's Node.js runtime does. As there, what the function is comes from the environment.
 */
import { existsSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, FunctionFailure, ToWorker, WorkerSettings } from './messages.ts';
import { createResponseStream, installStreaming, isStreaming, type ResponseStream } from './response-stream.ts';

type Handler = (event: unknown, ...rest: unknown[]) => unknown;
type InvokeMessage = Extract<ToWorker, { type: 'invoke' }>;

let openStream: ResponseStream | null = null;

installStreaming();
await start();

async function start(): Promise<void> {
  const startedAt = performance.now();
  const { compileCache } = workerData as WorkerSettings;
  if (compileCache !== undefined) enableCompileCache(compileCache);
  try {
    const handler = await loadHandler();
    // Threads are ended without the exit at which Node.js would write it.
    flushCompileCache();
    parentPort?.on('message', (message: ToWorker) => receive(message, handler));
    post({ type: 'ready', initMs: performance.now() - startedAt });
  } catch (error) {
    post({ type: 'unready', failure: describeFailure(error) });
  }
}

async function loadHandler(): Promise<Handler> {
  const { _HANDLER: handlerName = '', LAMBDA_TASK_ROOT: folder = '' } = process.env;
  const dot = handlerName.lastIndexOf('.');
  const [file, name] = [handlerName.slice(0, dot), handlerName.slice(dot + 1)];
  const path = ['.mjs', '.js', '.cjs'].map((extension) => join(folder, file + extension)).find(existsSync);
  if (path === undefined) throw new Error(`The function's code has no file ${file}.mjs, ${file}.js or ${file}.cjs.`);
  const loaded = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  const handler = loaded[name];
  if (typeof handler !== 'function') throw new Error(`${handlerName} is undefined or not exported.`);
  return handler as Handler;
}

function receive(message: ToWorker, handler: Handler): void {
  switch (message.type) {
    case 'invoke':
      void run(message, handler);
      return;
    case 'taken':
      openStream?.taken();
      return;
    default:
      message satisfies never;
  }
}

async function run(message: InvokeMessage, handler: Handler): Promise<void> {
  process.env['_X_AMZN_TRACE_ID'] = message.traceId;
  try {
    const event: unknown = JSON.parse(message.event);
    const context = createContext(message);
    post({ type: 'result', body: await (isStreaming(handler) ? runStreaming : runBuffered)(handler, event, context) });
  } catch (error) {
    openStream?.stream.destroy();
    post({ type: 'failed', failure: describeFailure(error) });
  } finally {
    openStream = null;
  }
}

async function runBuffered(handler: Handler, event: unknown, context: unknown): Promise<string> {
  return JSON.stringify(await handler(event, context)) ?? 'null';
}

/** The invocation lasts until the handler has returned and its stream is closed, whichever comes later. */
async function runStreaming(handler: Handler, event: unknown, context: unknown): Promise<string> {
  openStream = createResponseStream(post);
  const { stream, closed } = openStream;
  await handler(event, stream, context);
  await closed;
  return 'null';
}

function createContext(message: InvokeMessage): Readonly<Record<string, unknown>> {
  const { env } = process;
  return {
    awsRequestId: message.requestId,
    callbackWaitsForEmptyEventLoop: true,
    functionName: env['AWS_LAMBDA_FUNCTION_NAME'],
    functionVersion: env['AWS_LAMBDA_FUNCTION_VERSION'],
    invokedFunctionArn: message.functionArn,
    memoryLimitInMB: env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE'],
    logGroupName: env['AWS_LAMBDA_LOG_GROUP_NAME'],
    logStreamName: env['AWS_LAMBDA_LOG_STREAM_NAME'],
    getRemainingTimeInMillis: () => message.deadlineMs - Date.now(),
  };
}

function describeFailure(error: unknown): FunctionFailure {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error), stack: [] };
  return { name: error.name, message: error.message, stack: (error.stack ?? '').split('\n') };
}

function post(message: FromWorker): void {
  if (message.type !== 'chunk') return parentPort?.postMessage(message);
  // A Buffer's memory is a slice of a larger pool: only a copy of its own can be handed over.
  const bytes = new Uint8Array(message.bytes);
  parentPort?.postMessage({ type: 'chunk', bytes }, [bytes.buffer]);
}
