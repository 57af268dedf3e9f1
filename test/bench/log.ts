/** The log alone: appends to one session, and the time to wake it and to build its context as it grows. */
import { randomUUID } from 'node:crypto';
import type { Entry } from '#contract/entries.ts';
import { EventId, LOG_START, SessionId, ThreadId } from '#contract/ids.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { buildRequest } from '#core/harness/context.ts';
import { createHistory } from '#core/harness/history.ts';
import type { Head, LogKey, SessionLog } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import { CREATED, NOW } from '#test/functions/core/given.ts';
import { startDynamoDb } from '#test/ports/dynamodb.ts';
import { now, table, told } from './figures.ts';

const SIZES = [100, 1000, 10_000];
const SAMPLES = 30;

export async function log(progress: (text: string) => void): Promise<string> {
  const dynamodb = await startDynamoDb();
  const unused = { put: async () => undefined, get: async () => '' };
  const sessionLog = createSessionLog({ ...dynamodb, dynamodb: dynamodb.client, content: unused, newName: randomUUID });
  const rows: string[][] = [];
  for (const size of SIZES) {
    const { key, perSecond } = await grow(sessionLog, size);
    rows.push([String(size), `${perSecond.toFixed(0)}/s`, ...(await timed(sessionLog, key))]);
    progress(`${size} events`);
  }
  await dynamodb.close();
  return table(['Events in the log', 'appends', 'wake (head and fold)', 'context, cold', 'context, warm'], rows);
}

/** Conversations of question and answer, one append each, as turns append them. */
async function grow(sessionLog: SessionLog, size: number) {
  const token = randomUUID().replaceAll('-', '');
  const key: LogKey = { session: SessionId.parse(`sesn_${token}`), thread: ThreadId.parse(`sthr_${token}`) };
  let head: Head = { position: LOG_START, state: fold(null, [CREATED]).state };
  head = await appended(sessionLog, key, head, [CREATED]);
  const began = now();
  let appends = 0;
  while (head.position < size) {
    head = await appended(sessionLog, key, head, exchange(head.position));
    appends += 1;
  }
  return { key, perSecond: appends / ((now() - began) / 1000) };
}

function exchange(position: number): readonly Entry[] {
  const id = (part: string) => EventId.parse(`sevt_${position}${part}`);
  const usage = { input_tokens: 1, output_tokens: 1, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
  const blocks = [
    { type: 'text', text: 'An answer of a usual length, which says what there is to say and no more. '.repeat(4) },
  ];
  return [
    { event: { id: id('u'), type: 'user.message', processed_at: NOW, content: [{ type: 'text', text: 'And then?' }] } },
    { event: { id: id('s'), type: 'span.model_request_start', processed_at: NOW } },
    {
      record: {
        kind: 'model.answered',
        request: id('s'),
        at: NOW,
        model: 'm',
        stopReason: 'end_turn',
        blocks,
        calls: [],
      },
    },
    {
      event: {
        id: id('m'),
        type: 'agent.message',
        processed_at: NOW,
        content: [{ type: 'text', text: blocks[0]?.text ?? '' }],
      },
    },
    {
      event: {
        id: id('e'),
        type: 'span.model_request_end',
        processed_at: NOW,
        model_request_start_id: id('s'),
        is_error: false,
        model_usage: usage,
      },
    },
  ];
}

async function appended(sessionLog: SessionLog, key: LogKey, after: Head, entries: readonly Entry[]): Promise<Head> {
  const { state } = fold(after.position === 0 ? null : after, entries);
  const result = await sessionLog.append({ key, after: { ...after, state }, entries, state, at: NOW });
  if (result.status === 'conflict') throw new Error('another append came first');
  return result.head;
}

async function timed(sessionLog: SessionLog, key: LogKey): Promise<readonly string[]> {
  const wake = await sampled(() => sessionLog.head(key));
  const cold = await sampled(async () => context(sessionLog, key), 5);
  const warm = createHistory(sessionLog);
  await warm.load(key);
  const again = await sampled(async () => buildRequest((await warm.load(key))?.entries ?? []));
  return [wake, cold, again];
}

async function context(sessionLog: SessionLog, key: LogKey) {
  return buildRequest((await createHistory(sessionLog).load(key))?.entries ?? []);
}

async function sampled(work: () => Promise<unknown>, count = SAMPLES): Promise<string> {
  const samples: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const began = now();
    await work();
    samples.push(now() - began);
  }
  return told(samples);
}
