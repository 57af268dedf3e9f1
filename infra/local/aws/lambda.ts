import type { AwsRequest, AwsResponse, Service } from './service.ts';
import type { Invoke } from '../lambda/invoke.ts';
import type { FunctionPart } from '../template/parts.ts';
import { readInput } from './json-service.ts';
import { AwsFault } from './wire.ts';

interface LambdaOptions {
  readonly functions: readonly FunctionPart[];
  readonly invoke: Invoke;
  /** Told when an asynchronous invocation fails: its caller is gone and nobody else would know. */
  readonly report?: (message: string) => void;
}

const INVOCATION = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/**
 * `InvokeFunction`, waiting (`RequestResponse`) or not (`Event`). An asynchronous invocation that fails is not repeated:
 * AWS does so after one and two minutes, and callers here use it only for work that somebody else does anyway.
 */
export function lambdaService(options: LambdaOptions): Service {
  const find = (request: Pick<AwsRequest, 'path'>): FunctionPart => {
    const named = decodeURIComponent(INVOCATION.exec(request.path)?.[1] ?? '');
    const found = options.functions.find(
      ({ name, arn }) => named === name || named === arn || named.endsWith(`:${name}`),
    );
    if (found === undefined) throw new AwsFault('ResourceNotFoundException', `Function not found: ${named}`, 404);
    return found;
  };
  return {
    name: 'lambda',
    operation: ({ method, path }) =>
      method === 'POST' && INVOCATION.test(path) ? 'InvokeFunction' : `${method} ${path}`,
    accesses: (request) => {
      if (request.operation !== 'InvokeFunction') return [{ action: 'lambda:Unknown', resource: '*', context: {} }];
      return [{ action: 'lambda:InvokeFunction', resource: find(request).arn, context: {} }];
    },
    handle: async (request) => {
      if (request.operation !== 'InvokeFunction') {
        throw new AwsFault('UnknownOperationException', `lambda: ${request.operation} is not played here`, 404);
      }
      const { arn, name } = find(request);
      const payload = readInput(request.body);
      if (request.headers['x-amz-invocation-type'] !== 'Event') return invokeAndWait(options.invoke, arn, payload);
      options.invoke(arn, payload).catch((error: Error) => {
        options.report?.(`${name}: asynchronous invocation failed: ${error.name}`);
      });
      return { status: 202, headers: {}, body: '' };
    },
    close: async () => {},
  };
}

async function invokeAndWait(invoke: Invoke, arn: string, payload: unknown): Promise<AwsResponse> {
  const headers = { 'content-type': 'application/json', 'x-amz-executed-version': '$LATEST' };
  try {
    return { status: 200, headers, body: JSON.stringify((await invoke(arn, payload)) ?? null) };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error('unknown');
    const body = JSON.stringify({ errorType: name, errorMessage: message });
    return { status: 200, headers: { ...headers, 'x-amz-function-error': 'Unhandled' }, body };
  }
}
