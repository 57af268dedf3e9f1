/**
 * Sessions much longer than a model's window, on the real log: what each turn reads, and that every message is kept.
 */
import { randomUUID } from 'node:crypto';
import { TransactWriteItemsCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkMessages } from '#test/model/check-messages.ts';
import { FIRST_POSITION, LOG_START, SessionId, ThreadId } from '#contract/ids.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { createHistory } from '#core/harness/history.ts';
import { fullTokens } from '#core/model/room.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { Model, ModelRequest } from '#core/ports/model.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { fold } from '#core/session/evolve.ts';
import {
  HANDS,
  AGENT,
  CREATED,
  NOW,
  NO_MCP,
  SILENT,
  answer,
  send,
  steadyStamp,
  toolUse,
  NO_FILES,
  NO_OUTPUTS,
  NO_TEAM,
} from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { sample } from '#test/property-runs.ts';

/** The number of characters that fill the window of the test's model. */
const WINDOW_CHARS = 20_000;
/** The most that DynamoDB returns for one query, 1 MB, with the overhead of JSON. */
const PAGE_BYTES = 1_400_000;

/**
 * A model that counts the messages. Of what came before a summary it knows only the summary, so a message that is lost
 * or read twice makes its count wrong.
 */
function counting(told: RegExp, reply: (count: number) => ReturnType<typeof answer>): Model {
  return {
    ask: async (request) => {
      expect(checkMessages(request.messages)).toBeNull();
      const text = request.messages.map((message) => JSON.stringify(message.content)).join('\n');
      const count = Number(/Told so far: (\d+)/.exec(text)?.[1] ?? 0) + (text.match(told) ?? []).length;
      const said = text.includes('Write it now')
        ? answer({ blocks: [{ type: 'text', text: `Told so far: ${count}` }] })
        : reply(count);
      return { ...said, usage: { ...said.usage, input_tokens: tokensOf(request) } };
    },
  };
}

function tokensOf({ messages }: ModelRequest): number {
  return Math.floor((JSON.stringify(messages).length / WINDOW_CHARS) * fullTokens(AGENT.model.id));
}

/** Bytes that the log's queries return between two calls of `take`. */
function measuring(client: DynamoDBClient) {
  let read = { queries: 0, items: 0, bytes: 0 };
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      if (context['commandName'] === 'QueryCommand') {
        const { Items = [] } = result.output as { readonly Items?: readonly unknown[] };
        read = {
          queries: read.queries + 1,
          items: read.items + Items.length,
          bytes: read.bytes + JSON.stringify(Items).length,
        };
      }
      return result;
    },
    { step: 'initialize' },
  );
  return {
    take() {
      const taken = read;
      read = { queries: 0, items: 0, bytes: 0 };
      return taken;
    },
  };
}

type Read = ReturnType<ReturnType<typeof measuring>['take']>;
const most = (reads: readonly Read[], name: keyof Read) => Math.max(...reads.map((read) => read[name]));

describe('a session much longer than the model’s window', () => {
  let dynamodb: TestDynamoDb;
  beforeAll(async () => {
    dynamodb = await startDynamoDb();
  });
  afterAll(async () => dynamodb.close());

  /** One function takes all turns, or each turn is taken by one of several that know different parts of the log. */
  async function begin(model: Model, functions: 'one' | 'many') {
    const { client, logTable, recordsTable } = dynamodb;
    const content = { put: async () => undefined, get: async () => '' };
    const log = createSessionLog({ dynamodb: client, logTable, recordsTable, content, newName: randomUUID });
    const token = randomUUID().replaceAll('-', '');
    const key = { session: SessionId.parse(`sesn_${token}`), thread: ThreadId.parse(`sthr_${token}`) };
    const { state } = fold(null, [CREATED]);
    const first = { key, entries: [CREATED], state, at: NOW };
    const row = { TableName: recordsTable, Item: { pk: { S: key.session }, sk: { S: 'session' } } };
    await client.send(
      new TransactWriteItemsCommand({
        TransactItems: [await firstAppend({ dynamodb: client, logTable, content }, first, randomUUID()), { Put: row }],
      }),
    );
    const measured = measuring(client);
    const stamp = steadyStamp();
    const histories = [createHistory(log)];
    const reads: Read[] = [];
    const head = async () => (await log.head(key)) ?? { position: LOG_START, state };
    const apply = async (command: Command) => change({ log, stamp }, key, await head(), command);

    async function turn(): Promise<string | undefined> {
      const { run } = (await head()).state;
      if (functions === 'many' && reads.length % 10 === 0) histories[(reads.length / 10) % 3] = createHistory(log);
      const world: TurnWorld = {
        log,
        hands: HANDS,
        history: histories[reads.length % histories.length] ?? createHistory(log),
        attachedFiles: NO_FILES,
        ...NO_OUTPUTS,
        ...NO_TEAM,
        model,
        warming: { warm: async () => undefined },
        ...NO_MCP,
        previews: memoryPreviews(),
        stamp,
        pause: async () => new Promise(() => undefined),
        journal: SILENT,
      };
      measured.take();
      const { turn: next } = await takeTurn(world, { ...key, run }, new AbortController().signal);
      reads.push(measured.take());
      return next?.do;
    }
    /** Runs until the session is idle; every call gets `result`. */
    async function work(result: string): Promise<void> {
      for (let next = await turn(); next !== 'idle'; next = await turn()) {
        if (next !== 'tools') continue;
        let from = await head();
        for (const { id } of from.state.calls) {
          const content = [{ type: 'text' as const, text: result }];
          const made = await change({ log, stamp }, key, from, { do: 'result', call: id, content, isError: false });
          if (made.status === 'changed') from = made.head;
        }
      }
    }
    /** Bytes that a read of the whole log returns. */
    async function whole() {
      measured.take();
      const { entries } = await log.read(key, FIRST_POSITION);
      return { entries, read: measured.take() };
    }
    return { reads, head, apply, work, whole };
  }

  const chatter = () =>
    counting(/Message \d+/g, (count) =>
      answer({ blocks: [{ type: 'text', text: `Heard ${count}. ${'z'.repeat(900)}` }] }),
    );

  it.each(sample(1, ['one', 'many'] as const))(
    'answers each of 200 messages with the knowledge of all before, and reads no more for the last: %s function(s)',
    async (functions) => {
      const { reads, head, apply, work, whole } = await begin(chatter(), functions);
      for (let count = 1; count <= 200; count += 1) {
        await apply(send(`Message ${count}: ${'y'.repeat(400)}`));
        await work('');
      }
      const { entries, read } = await whole();
      const said = entries.flatMap(({ entry }) =>
        'event' in entry && entry.event.type === 'agent.message' ? [JSON.stringify(entry.event.content)] : [],
      );
      expect(said.map((text) => Number(/Heard (\d+)/.exec(text)?.[1]))).toEqual(
        Array.from({ length: 200 }, (_, index) => index + 1),
      );
      const compactions = entries.filter(({ entry }) => 'record' in entry && entry.record.kind === 'context.compacted');
      expect(compactions.length).toBeGreaterThan(5);
      expect((await head()).position).toBeGreaterThan(2000);
      expect(read.bytes).toBeGreaterThan(PAGE_BYTES);
      expect(most(reads, 'queries')).toBe(1);
      expect(most(reads, 'bytes')).toBeLessThan(functions === 'one' ? 10_000 : PAGE_BYTES);
      if (functions === 'one') expect(most(reads.slice(1), 'items')).toBeLessThanOrEqual(2);
    },
    60_000,
  );

  it('completes one turn of 2,000 events with every call counted', async () => {
    const CALLS = 720;
    const worker = counting(/"tool_result"/g, (count) => {
      if (count >= CALLS) return answer({ blocks: [{ type: 'text', text: `Made ${count}.` }] });
      return answer({
        stopReason: 'tool_use',
        blocks: [1, 2, 3, 4, 5, 6].map((call) => toolUse(`toolu_${count + call}`)),
      });
    });
    const { reads, head, apply, work, whole } = await begin(worker, 'many');
    await apply(send('work'));
    await work('w'.repeat(500));
    expect((await head()).position).toBeGreaterThan(2000);
    const { entries, read } = await whole();
    expect(JSON.stringify(entries.slice(-10))).toContain(`Made ${CALLS}.`);
    expect(read.bytes).toBeGreaterThan(PAGE_BYTES);
    expect(most(reads, 'queries')).toBe(1);
    expect(most(reads, 'bytes')).toBeLessThan(PAGE_BYTES);
  });
});
