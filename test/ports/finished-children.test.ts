/** What waking a session costs on the real log: the same whether no child of it has finished, or a hundred. */
import { TransactWriteItemsCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect, it } from 'vitest';
import type { Entry } from '#contract/entries.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { createHistory } from '#core/harness/history.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import { fold } from '#core/session/evolve.ts';
import { send } from '#core/session/send.ts';
import {
  answer,
  HANDS,
  KEY,
  NO_FILES,
  NO_MCP,
  NO_OUTPUTS,
  NO_TEAM,
  NOW,
  says,
  SILENT,
  steadyStamp,
} from '#test/functions/core/given.ts';
import { asks, calls, createTeamStage, text } from '#test/functions/core/team-stage.ts';
import { startDynamoDb } from '#test/ports/dynamodb.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';

/** The primary thread's log after so many children have reported, one after another. */
async function logAfter(children: number): Promise<readonly Entry[]> {
  const stage = await createTeamStage([says('hi')]);
  await stage.says(KEY.thread, text('Hello.'));
  for (let begun = 0; begun < children; begun += 1) {
    await stage.send([says('Delegate.')]);
    await stage.says(KEY.thread, calls(asks('ann')), text('I wait.'));
    await stage.says(stage.children().at(-1) ?? expect.fail('no child'), text('All is well.'));
    await stage.says(KEY.thread, text('Done.'));
  }
  expect(await stage.state()).toMatchObject({ status: 'idle', ...(children > 0 && { team: { busy: [] } }) });
  return stage.entries();
}

/** A number counts as one digit, because positions and counts are larger after more children; names of tables are random. */
const bytesOf = (value: unknown): number =>
  JSON.stringify(value ?? null)
    .replaceAll(/"(log|records)-[0-9a-f]{8}"/g, '')
    .replaceAll(/\d+/g, '0').length;

interface Call {
  readonly command: string;
  readonly written: number;
  readonly read: number;
}

/** The calls of a client from now on. */
function callsOf(client: DynamoDBClient): readonly Call[] {
  const made: Call[] = [];
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      const { $metadata: _, ...output } = Object(result.output);
      made.push({ command: String(context['commandName']), written: bytesOf(args.input), read: bytesOf(output) });
      return result;
    },
    { step: 'initialize' },
  );
  return made;
}

/** From a client's message until the turn is over, in a function that knows the session. */
async function wakeAfter(children: number) {
  const dynamodb = await startDynamoDb();
  const { client, logTable, recordsTable } = dynamodb;
  const content = { put: async () => undefined, get: async () => '' };
  let names = 0;
  const newName = () => String((names += 1)).padStart(4, '0');
  const log = createSessionLog({ dynamodb: client, logTable, recordsTable, content, newName });
  const [created, ...entries] = await logAfter(children);
  if (created === undefined) throw new TypeError('an empty log');
  let head = fold(null, [created]);
  const first = await firstAppend(
    { dynamodb: client, logTable, content },
    { key: KEY, entries: [created], state: head.state, at: NOW },
    newName(),
  );
  const row = { TableName: recordsTable, Item: { pk: { S: KEY.session }, sk: { S: 'session' } } };
  await client.send(new TransactWriteItemsCommand({ TransactItems: [first, { Put: row }] }));
  for (let from = 0; from < entries.length; from += 100) {
    const some = entries.slice(from, from + 100);
    const appended = await log.append({ key: KEY, after: head, entries: some, state: fold(head, some).state, at: NOW });
    head = appended.head;
  }
  const stamp = steadyStamp(1_000_000);
  const history = createHistory(log);
  await history.load(KEY);

  const made = callsOf(client);
  const ports = { log, stamp, ...NO_TEAM };
  const at = (await log.head(KEY)) ?? expect.fail('no log');
  const sent = await send(ports, { key: KEY, head: at, cause: 'req_1' }, [says('And?')]);
  if (sent.status !== 'accepted') throw new Error(sent.message);
  const world = {
    ...ports,
    history,
    hands: HANDS,
    attachedFiles: NO_FILES,
    ...NO_OUTPUTS,
    model: { ask: async () => answer() },
    warming: { warm: async () => undefined },
    ...NO_MCP,
    previews: memoryPreviews(),
    pause: async () => new Promise<never>(() => undefined),
    journal: SILENT,
  };
  const { run } = sent.head.state;
  expect((await takeTurn(world, { ...KEY, run }, new AbortController().signal)).turn?.do).toBe('idle');
  const used = [...made];
  await dynamodb.close();
  return used;
}

it('a session with 100 finished children wakes with the calls and bytes of one with none', async () => {
  const [none, one, hundred] = [await wakeAfter(0), await wakeAfter(1), await wakeAfter(100)];
  const names = (used: readonly Call[]) => used.map(({ command }) => command);
  expect(names(hundred)).toEqual(names(none));
  expect(names(none)).toContain('QueryCommand');
  expect(hundred).toEqual(one);
  // The first child adds what is known of the team as a whole, to the state and to the session's row.
  const most = (used: readonly Call[], what: 'read' | 'written') => Math.max(...used.map((call) => call[what]));
  for (const what of ['read', 'written'] as const) expect(most(hundred, what) - most(none, what)).toBeLessThan(1024);
});
