import * as z from 'zod';
import type { Access, AwsRequest, Service } from './service.ts';
import { AwsFault, jsonAnswer } from './wire.ts';

export type Input = Readonly<Record<string, unknown>>;

/** One operation with its input: what it must be allowed to do, and how it is done. */
interface Operation {
  readonly accesses: readonly Access[];
  run(): Promise<unknown> | unknown;
}

/** @throws ZodError naming the field */
export type ReadOperation = (input: unknown) => Operation;

export function operation<T>(schema: z.ZodType<T>, prepare: (input: T) => Operation): ReadOperation {
  return (input) => prepare(schema.parse(input));
}

interface JsonService {
  readonly name: string;
  readonly operations: Readonly<Record<string, ReadOperation>>;
  /** The service's error for an input that is not as its schema says. @default ValidationException */
  readonly invalid?: string;
}

/** A service with the operation's name in `X-Amz-Target` of a `POST /`, and JSON both ways. */
export function jsonService({ name, operations, invalid = 'ValidationException' }: JsonService): Service {
  return {
    name,
    operation: ({ headers }) => targetOperation(headers),
    read: ({ operation: asked, body }) => {
      const readOperation = operations[asked] ?? notPlayed(name, asked);
      try {
        const { accesses, run } = readOperation(readInput(body));
        return { accesses, answer: async () => jsonAnswer(name, (await run()) ?? {}) };
      } catch (error) {
        if (!(error instanceof z.ZodError)) throw error;
        const [issue] = error.issues;
        throw new AwsFault(invalid, `${issue?.path.join('.') ?? 'request'}: ${issue?.message ?? 'is not valid'}`);
      }
    },
  };
}

/** Judged all the same, so that a missing permission is reported before a missing part of this runtime. */
function notPlayed(service: string, asked: string): ReadOperation {
  return () => ({
    accesses: [{ action: `${service}:${asked}`, resource: '*', context: {} }],
    run: () => {
      throw new AwsFault('UnknownOperationException', `${service}:${asked} is not played here`);
    },
  });
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
