/** The synthesized template, running on this machine: its parts in the order in which each needs the ones before. */
import { join, resolve } from 'node:path';
import { startAws, type Aws } from './aws/start-aws.ts';
import { runCustomResources } from './custom-resources.ts';
import { lockData } from './data-lock.ts';
import { serveGateway } from './gateway/server.ts';
import { serviceOf } from './lambda/environment.ts';
import { createFunctions, type Functions, type PoolListeners } from './lambda/functions.ts';
import { openLogFiles, type LogFiles } from './lambda/log-files.ts';
import { startSchedules } from './schedules.ts';
import type { AroundCall, AwsEndpoint } from './aws/service.ts';
import type { Template } from './template/parts.ts';
import type { EcsService } from './tasks/ecs.ts';
import type { SandboxKind } from './tasks/runner.ts';
import { roomForTasks } from './tasks/room-for-tasks.ts';
import { startTasks } from './tasks/start-tasks.ts';
import { startOrUndo, type Teardown } from './teardown.ts';
import { asksWithRole, askingModel, servedAt, type TemplateModel } from './template/local-places.ts';
import { readTemplate } from './template/read-template.ts';

export interface RuntimeOptions extends PoolListeners {
  /** Folder of the synthesized template. */
  readonly cdkOut: string;
  /** Holds everything that lasts; made when missing. */
  readonly data: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly sandbox: SandboxKind;
  /** How many sandboxes and builds run at once. @default as many as this machine can hold */
  readonly maxTasks?: number | undefined;
  /** How much a sandbox or build may store. @default as much as on Fargate */
  readonly maxDiskBytes?: number | undefined;
  readonly model: TemplateModel & { readonly apiKey: string };
  /** A DynamoDB to use instead of the native engine. */
  readonly dynamodbEndpoint?: string | undefined;
  /** Told what an operator should know: denied calls, failed background work, warnings. Never content. */
  readonly report?: (message: string) => void;
  /** Replaces the pauses before a state machine's retries; for tests. */
  readonly retryIntervalMs?: number;
  /** Makes what stands between the functions and AWS. */
  readonly aroundCalls?: ((controls: Controls) => AroundCall) | undefined;
}

/** What a caller of the runtime may do to what runs in it. */
export interface Controls {
  /** The entry name, for example `harness`, of the function with this name. */
  entryOf(functionName: string): string;
  /** The request that a worker handles; null while the worker loads or waits. */
  requestOf(worker: string): string | null;
  /** Kills every worker of a function (by entry name, name or ARN), or one worker by its id. Resolves with their number. */
  kill(target: string): Promise<number>;
  /** Kills a sandbox by its task's ARN, or all sandboxes. Resolves with their number. */
  loseSandbox(taskArn?: string): Promise<number>;
}

export interface Runtime {
  readonly baseUrl: string;
  readonly apiKey: string;
  /** Base URL of the model. */
  readonly model: string;
  readonly sandbox: SandboxKind;
  readonly data: string;
  readonly template: Template;
  readonly aws: Aws;
  /** How many executions of the runtime before this one were taken up again. */
  readonly resumed: number;
  /** Stops everything that was started. Unfinished executions go on with the next runtime on the same data. */
  close(): Promise<void>;
}

/** @throws when a part cannot start; everything that started before it is stopped again */
export function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  return startOrUndo((teardown) => compose({ ...options, data: resolve(options.data) }, teardown));
}

async function compose(options: RuntimeOptions, teardown: Teardown): Promise<Runtime> {
  const { data } = options;
  teardown.add(lockData(data).release);
  const logs = openLogFiles(join(data, 'logs'));
  teardown.add(logs.close);
  const report = createReport(logs, options.report);
  const functions = createFunctions(logs, options);

  const { model } = options;
  const deployed = askingModel(readTemplate(options.cdkOut, { ModelBaseUrl: model.baseUrl }), model);
  // The gateway listens first, because functions are told its address. It refuses requests until they can run.
  const gateway = await serveGateway({
    template: deployed,
    lambda: {
      invoke: async (...call) => functions.pool().invoke(...call),
      stream: async (...call) => functions.pool().stream(...call),
    },
    port: options.port,
  });
  teardown.add(gateway.close);
  const template = servedAt(deployed, gateway.url);

  const { sandbox, maxTasks = roomForTasks(), maxDiskBytes } = options;
  const served = Promise.withResolvers<AwsEndpoint>();
  const { promise: endpoint } = served;
  const ecs = await startTasks({ template, sandbox, maxTasks, maxDiskBytes, data, endpoint, logs, report });
  teardown.add(ecs.close);
  const aroundCall = options.aroundCalls?.(createControls(template, functions, ecs));
  const { invoke } = functions;
  const aws = await startAws({
    template,
    dataDir: data,
    invoke,
    services: [ecs],
    report,
    aroundCall,
    dynamoDbEndpoint: options.dynamodbEndpoint,
    retryIntervalMs: options.retryIntervalMs,
  });
  teardown.add(aws.close);
  served.resolve(aws.endpoint);
  functions.open(template, aws.endpoint);
  teardown.add(functions.close);
  // Stopped before the functions: an execution without them would use up its retries and be journalled as failed.
  teardown.add(aws.stepFunctions.close);

  if (!asksWithRole(template)) aws.secrets.setSecret(output(template, 'ModelApiKeySecretArn'), model.apiKey);
  await runCustomResources({ template, dataDir: data, invoke });
  const apiKey = aws.secrets.readSecret(output(template, 'FirstApiKeySecretArn'));
  if (apiKey === null) throw new Error('The secret of the first API key has no value.');

  teardown.add(startSchedules(template.schedules, { invoke, report }));
  // Closed first of all, because a runtime that stops must take no request that its functions cannot answer.
  teardown.add(gateway.close);
  const resumed = aws.stepFunctions.resume();
  return {
    baseUrl: gateway.url,
    apiKey,
    model: model.baseUrl,
    sandbox: options.sandbox,
    data,
    template,
    aws,
    resumed,
    close: teardown.run,
  };
}

type Report = (message: string) => void;

function createReport(logs: LogFiles, listener: RuntimeOptions['report']): Report {
  return (message) => {
    logs.write('runtime', `${new Date().toISOString()} ${message}\n`);
    listener?.(message);
  };
}

function createControls(template: Template, { pool }: Functions, ecs: EcsService): Controls {
  const entries = new Map(template.functions.map((part) => [part.name, serviceOf(part)]));
  return {
    entryOf: (functionName) => entries.get(functionName) ?? functionName,
    requestOf: (worker) => pool().requestOf(worker),
    kill: (target) => pool().kill(target),
    loseSandbox: ecs.lose,
  };
}

function output(template: Template, name: string): string {
  const value = template.outputs[name];
  if (value === undefined) throw new Error(`The template has no output ${name}.`);
  return value;
}
