/** From nothing to a running service: what `npm start` and the demo have in common. */
import { join, resolve } from 'node:path';
import { engineBinary } from './aws/dynamodb/engine-process.ts';
import { lockData } from './data-lock.ts';
import { chooseModel, type ModelEnvironment } from './model-choice.ts';
import { startRuntime, type Runtime, type RuntimeOptions } from './runtime.ts';
import { synthesize } from './synthesize.ts';
import { chooseSandbox } from './tasks/choose-sandbox.ts';
import type { SandboxKind } from './tasks/runner.ts';
import { startOrUndo, type Teardown } from './teardown.ts';
import { asksWithRole } from './template/local-places.ts';

interface LaunchOptions {
  readonly port: number;
  readonly data: string;
  /** Null takes the best that works on this machine. */
  readonly sandbox: SandboxKind | null;
  /** How many sandboxes run at once. @default as many as this machine can hold */
  readonly maxTasks?: number | undefined;
  readonly maxDiskBytes?: number | undefined;
  /** A synthesized template to use; null synthesizes the stack. */
  readonly cdkOut: string | null;
  readonly environment: ModelEnvironment & { readonly AWS_ENDPOINT_URL_DYNAMODB?: string | undefined };
  /** Ends the launch; what was started by then is stopped. */
  readonly signal?: AbortSignal;
  readonly aroundCalls?: RuntimeOptions['aroundCalls'];
  /** Told what is going on, one short sentence each. */
  readonly progress: (message: string) => void;
  /** Told what an operator should know. */
  readonly report: (message: string) => void;
}

export interface Launched {
  readonly runtime: Runtime;
  /** Tells people what answers as the model. */
  readonly modelName: string;
  /** Stops the runtime and everything beside it. */
  close(): Promise<void>;
}

/** @throws with a sentence that says what to do about it */
export function launch(options: LaunchOptions): Promise<Launched> {
  return startOrUndo((teardown) => start({ ...options, data: resolve(options.data) }, teardown));
}

async function start(options: LaunchOptions, teardown: Teardown): Promise<Launched> {
  const { environment, data, progress, report } = options;
  // Set to nothing is not set.
  const dynamodbEndpoint = environment.AWS_ENDPOINT_URL_DYNAMODB || undefined;
  if (dynamodbEndpoint === undefined) engineBinary();
  const model = await chooseModel(environment);
  teardown.add(model.close);
  const sandbox = await chooseSandbox({ asked: options.sandbox, realModel: model.real });
  const cdkOut = options.cdkOut ?? (await synthesizeInto(options));
  options.signal?.throwIfAborted();
  progress('Starting the template');
  const runtime = await startRuntime({
    cdkOut,
    data,
    port: options.port,
    sandbox,
    maxTasks: options.maxTasks,
    maxDiskBytes: options.maxDiskBytes,
    model,
    report,
    dynamodbEndpoint,
    aroundCalls: options.aroundCalls,
  }).catch((error: unknown) => Promise.reject(explain(error, options.port)));
  teardown.add(runtime.close);
  options.signal?.throwIfAborted();
  const modelName = asksWithRole(runtime.template) ? `${model.name}, as the template’s provider on AWS` : model.name;
  return { runtime, modelName, close: teardown.run };
}

/** In the data folder, because a running service loads its bundles from there and must not find another's. */
async function synthesizeInto({ data, progress, signal }: LaunchOptions): Promise<string> {
  const lock = lockData(data);
  try {
    const cdkOut = join(data, 'cdk.out');
    await synthesize(cdkOut, { signal: signal ?? null, progress });
    return cdkOut;
  } finally {
    lock.release();
  }
}

function explain(error: unknown, port: number): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return error;
  return new Error(`Port ${port} is in use. Give another one with --port (0 takes any free port).`, { cause: error });
}
