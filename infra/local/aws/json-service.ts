import type { Access, AwsRequest, AwsResponse, Service } from './service.ts';
import { AwsFault, jsonAnswer } from './wire.ts';

export type Input = Readonly<Record<string, unknown>>;

export interface JsonOperation {
  accesses(input: Input): readonly Access[];
  run(input: Input, request: AwsRequest): Promise<unknown> | unknown;
}

interface JsonService {
  readonly name: string;
  readonly operations: Readonly<Record<string, JsonOperation>>;
  readonly close?: () => Promise<void>;
}

/** A service whose calls are `POST /` with the operation in `X-Amz-Target` and JSON on both ways. */
export function jsonService({ name, operations, close }: JsonService): Service {
  return {
    name,
    operation: ({ headers }) => targetOperation(headers),
    accesses: (request) => {
      const operation = operations[request.operation];
      // An operation nobody plays is judged all the same, so that a missing permission is reported before a missing part.
      if (operation === undefined) return [{ action: `${name}:${request.operation}`, resource: '*', context: {} }];
      return operation.accesses(readInput(request.body));
    },
    handle: async (request): Promise<AwsResponse> => {
      const operation = operations[request.operation];
      if (operation === undefined) {
        throw new AwsFault('UnknownOperationException', `${name}:${request.operation} is not played here`);
      }
      return jsonAnswer(name, (await operation.run(readInput(request.body), request)) ?? {});
    },
    close: close ?? (async () => {}),
  };
}

/** `AWSStepFunctions.StartExecution` → `StartExecution` */
export function targetOperation(headers: AwsRequest['headers']): string {
  const target = String(headers['x-amz-target'] ?? '');
  return target.slice(target.indexOf('.') + 1);
}

export function readInput(body: Buffer): Input {
  try {
    return body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw Object.assign(new AwsFault('SerializationException', 'the request body is not valid JSON'), { cause });
  }
}

/** @throws ValidationException naming the field */
export function requiredText(input: Input, field: string): string {
  const value = input[field];
  if (typeof value === 'string' && value !== '') return value;
  throw new AwsFault('ValidationException', `${field} is required and must be a string`);
}

export function optionalText(input: Input, field: string): string | null {
  const value = input[field];
  return typeof value === 'string' ? value : null;
}
