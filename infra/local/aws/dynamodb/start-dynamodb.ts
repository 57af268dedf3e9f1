import type { AwsResponse, Service } from '../service.ts';
import type { TablePart } from '../../template/parts.ts';
import { createAccesses } from './accesses.ts';
import { startEngine } from './engine.ts';
import { ensureTables } from './tables.ts';
import { rememberUnchanged } from './unchanged.ts';
import { createUpstream, placeAt, placeOf, type Place } from './upstream.ts';
import { readInput, targetOperation } from '../json-service.ts';

export interface DynamoDbOptions {
  readonly tables: readonly TablePart[];
  readonly dataDir: string;
  /** Use this DynamoDB instead of the native engine. */
  readonly endpoint?: string | undefined;
  readonly report: (message: string) => void;
}

export interface DynamoDb extends Service {
  close(): Promise<void>;
  /** Where requests are passed on to, over connections of the caller's own: no role limits what such a request may do. */
  place(): Place;
  /** Process id of the native engine; null when an endpoint was given. */
  enginePid(): number | null;
}

/** Starts DynamoDB with the template's tables. Requests pass through, judged by what they touch. */
export async function startDynamoDb(options: DynamoDbOptions): Promise<DynamoDb> {
  const engine = options.endpoint === undefined ? await startEngine(options) : null;
  const place = (): Place => (engine === null ? placeAt(options.endpoint ?? '') : placeOf(engine));
  const upstream = createUpstream(place());
  const stop = async (): Promise<void> => {
    upstream.close();
    await engine?.stop();
  };
  try {
    await ensureTables(upstream, options.tables);
  } catch (error) {
    await stop();
    throw error;
  }
  const accesses = createAccesses(options.tables);
  // Another DynamoDB may be written to by others.
  const answer = engine === null ? (_asked: unknown, send: () => Promise<AwsResponse>) => send() : rememberUnchanged();
  return {
    name: 'dynamodb',
    place,
    enginePid: () => engine?.pid() ?? null,
    operation: ({ headers }) => targetOperation(headers),
    read: (request) => {
      const touched = accesses(request.operation, readInput(request.body));
      const send = () => upstream.send(request.headers, request.body);
      return { accesses: touched, answer: () => answer({ request, accesses: touched }, send) };
    },
    close: stop,
  };
}
