/** Previews in a table beside the log: one partition per log, the subscriber's mark and the chunks of its requests. */
import {
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { PreviewChunk, PreviewFrame } from '#contract/previews.ts';
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Previews } from '#core/ports/previews.ts';
import { partition } from '#aws/session/log-item.ts';

type Item = Record<string, AttributeValue>;

/** Long enough for a first connection, the client's retries included; what takes longer is of no use to who watches. */
const PATIENCE_MS = 1000;
const TTL_SECONDS = 5 * 60;
const MARK = 'subscriber';
const LAST_SEQUENCE = 999_999;
/** A stream that lags behind catches up in steps which it can hold in memory. */
const MAX_CHUNKS = 20;

const Frames = z.array(PreviewFrame);

export function createPreviews(dynamodb: DynamoDBClient, table: string): Previews {
  const markOf = (key: LogKey) => ({ pk: { S: partition(key) }, sk: { S: MARK } });

  async function put(item: Item): Promise<void> {
    await dynamodb.send(new PutItemCommand({ TableName: table, Item: item }), patiently()).catch(unavailable);
  }

  return {
    async subscribe(key, until) {
      await put({ ...markOf(key), until: { S: until }, expiresAt: expiry(until) });
    },
    async isSubscribed(key, at) {
      const get = new GetItemCommand({ TableName: table, Key: markOf(key), ConsistentRead: true });
      const { Item } = await dynamodb.send(get, patiently()).catch(unavailable);
      // DynamoDB removes an expired item when it gets to it, which may take days.
      return Item?.['until']?.S !== undefined && Item['until'].S > at;
    },
    async write(key, { request, sequence, at, frames }) {
      await put({
        pk: { S: partition(key) },
        sk: { S: chunkName(request, sequence) },
        at: { S: at },
        frames: { S: JSON.stringify(frames) },
        expiresAt: expiry(at),
      });
    },
    async read(key, request, after) {
      const query = new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'pk = :pk AND sk BETWEEN :next AND :last',
        ExpressionAttributeValues: {
          ':pk': { S: partition(key) },
          ':next': { S: chunkName(request, after + 1) },
          ':last': { S: chunkName(request, LAST_SEQUENCE) },
        },
        Limit: MAX_CHUNKS,
      });
      const { Items = [] } = await dynamodb.send(query, patiently()).catch(unavailable);
      const chunks = Items.map(chunkOf);
      // Reads that are not strongly consistent cost half, and may not show a chunk that was written before another.
      const gap = chunks.findIndex(({ sequence }, index) => sequence !== after + 1 + index);
      return gap === -1 ? chunks : chunks.slice(0, gap);
    },
  };
}

function chunkName(request: string, sequence: number): string {
  return `${request}#${String(sequence).padStart(String(LAST_SEQUENCE).length, '0')}`;
}

function chunkOf(item: Item): PreviewChunk {
  const [request, sequence] = item['sk']?.S?.split('#') ?? [];
  const body = { request, sequence: Number(sequence), at: item['at']?.S, frames: framesOf(item) };
  const parsed = PreviewChunk.safeParse(body);
  return parsed.success ? parsed.data : unreadable(item);
}

function framesOf(item: Item): readonly PreviewFrame[] {
  try {
    return Frames.parse(JSON.parse(item['frames']?.S ?? ''));
  } catch {
    // A zod or JSON error quotes the value it refuses, which is what the model said.
    return unreadable(item);
  }
}

function unreadable(item: Item): never {
  throw new Fault('stored_data_invalid', `preview ${item['pk']?.S} ${item['sk']?.S} does not have its shape`);
}

function expiry(instant: Instant): AttributeValue {
  return { N: String(Math.ceil(Date.parse(instant) / 1000) + TTL_SECONDS) };
}

function patiently() {
  return { abortSignal: AbortSignal.timeout(PATIENCE_MS) };
}

function unavailable(cause: unknown): never {
  throw new Fault('previews_unavailable', 'the previews did not answer', { cause });
}
