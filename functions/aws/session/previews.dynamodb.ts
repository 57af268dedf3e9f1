/** Previews in a table beside the log: one partition per log, the subscriber's mark, a count of streams, and chunks. */
import * as z from 'zod';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { PreviewChunk } from '#contract/previews.ts';
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Previews } from '#core/ports/previews.ts';
import { json, parseRow, textOf } from '#aws/row.ts';
import { partition } from '#aws/session/log-writes.dynamodb.ts';
import { createTable, type Row } from '#aws/table.ts';

/** Long enough for a first connection, the client's retries included; a preview that takes longer is of no use to a watcher. */
const PATIENCE_MS = 1000;
const TTL_SECONDS = 5 * 60;
/** Longer than a stream lasts. */
const COUNT_SECONDS = 15 * 60;
const MARK = 'subscriber';
const COUNT = 'streams';
const LAST_SEQUENCE = 999_999;
/** A stream that lags behind catches up in steps that fit in memory. */
const MAX_CHUNKS = 20;

const Counted = z.object({ streams: z.int() });
const Stored = z.object({ ...PreviewChunk.shape, frames: json(PreviewChunk.shape.frames) });

export function createPreviews(dynamodb: DynamoDBClient, name: string): Previews {
  const table = createTable(dynamodb, name, { unavailable, patienceMs: PATIENCE_MS });
  const markOf = (key: LogKey) => ({ pk: partition(key), sk: MARK });
  const countOf = (key: LogKey) => ({ pk: partition(key), sk: COUNT });

  return {
    async subscribe(key, until) {
      await table.put({ ...markOf(key), until, expiresAt: expiry(until) });
    },
    async countStream(key, at) {
      const expiresAt = expiry(at) + COUNT_SECONDS;
      const { row } = await table.update(countOf(key), { add: { streams: 1 }, set: { expiresAt }, returns: 'new' });
      return parseRow(Counted, row ?? countOf(key)).streams;
    },
    async countedStreams(key) {
      const { pk, sk } = countOf(key);
      const where = 'pk = :pk AND sk = :sk';
      const { rows } = await table.page({ where, values: { pk, sk }, consistent: false });
      return rows.map((row) => parseRow(Counted, row).streams)[0] ?? 0;
    },
    async isSubscribed(key, at) {
      const row = await table.get(markOf(key));
      // DynamoDB removes an expired row when it gets to it, which may take days.
      return row !== null && textOf(row, 'until') > at;
    },
    async write(key, { request, sequence, at, frames }) {
      const chunk = { at, frames: JSON.stringify(frames), expiresAt: expiry(at) };
      await table.put({ pk: partition(key), sk: chunkName(request, sequence), ...chunk });
    },
    async read(key, request, after) {
      const { rows } = await table.page({
        where: 'pk = :pk AND sk BETWEEN :next AND :last',
        values: { pk: partition(key), next: chunkName(request, after + 1), last: chunkName(request, LAST_SEQUENCE) },
        limit: MAX_CHUNKS,
        consistent: false,
      });
      const chunks = rows.map(chunkOf);
      // Reads that are not strongly consistent cost half, and may not show a chunk that was written before another.
      const gap = chunks.findIndex(({ sequence }, index) => sequence !== after + 1 + index);
      return gap === -1 ? chunks : chunks.slice(0, gap);
    },
  };
}

function chunkName(request: string, sequence: number): string {
  return `${request}#${String(sequence).padStart(String(LAST_SEQUENCE).length, '0')}`;
}

function chunkOf(row: Row): PreviewChunk {
  const [request, sequence] = textOf(row, 'sk').split('#');
  return parseRow(Stored, { ...row, request, sequence: Number(sequence) });
}

function expiry(instant: Instant): number {
  return Math.ceil(Date.parse(instant) / 1000) + TTL_SECONDS;
}

function unavailable(cause: unknown): never {
  throw new Fault('previews_unavailable', 'the previews did not answer', { cause });
}
