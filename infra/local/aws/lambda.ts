import type { AwsResponse, Service } from './service.ts';
import type { Invoke } from '../lambda/invoke.ts';
import type { FunctionPart } from '../template/parts.ts';
import { readInput } from './json-service.ts';
import { AwsFault } from './wire.ts';

interface LambdaOptions {
  readonly functions: readonly FunctionPart[];
  readonly invoke: Invoke;
  /** Told when an asynchronous invocation fails, which its caller does not hear of. */
  readonly report: (message: string) => void;
}

const INVOCATION = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/**
 * `InvokeFunction`, waiting (`RequestResponse`) or not (`Event`). An asynchronous invocation that fails is not repeated:
 * AWS does so after one and two minutes, and its callers here use it only for work that a later call does anyway.
 */
export function lambdaService({ functions, invoke, report }: LambdaOptions): Service {
  const find = (path: string): FunctionPart => {
    const named = decodeURIComponent(INVOCATION.exec(path)?.[1] ?? '');
    const found = functions.find(({ name, arn }) => named === name || named === arn || named.endsWith(`:${name}`));
    if (found === undefined) throw new AwsFault('ResourceNotFoundException', `Function not found: ${named}`, 404);
    return found;
  };
  return {
    name: 'lambda',
    operation: ({ method, path }) =>
      method === 'POST' && INVOCATION.test(path) ? 'InvokeFunction' : `${method} ${path}`,
    read: ({ operation, path, body, headers }) => {
      if (operation !== 'InvokeFunction') {
        throw new AwsFault('UnknownOperationException', `lambda: ${operation} is not played here`, 404);
      }
      const { arn, name } = find(path);
      return {
        accesses: [{ action: 'lambda:InvokeFunction', resource: arn, context: {} }],
        answer: async () => {
          const payload = readInput(body);
          if (headers['x-amz-invocation-type'] !== 'Event') return invokeAndWait(invoke, arn, payload);
          invoke(arn, payload).catch((error: Error) => {
            report(`${name}: asynchronous invocation failed: ${error.name}`);
          });
          return { status: 202, headers: {}, body: '' };
        },
      };
    },
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
