/** A session's log as it is stored, and the rules that it keeps after every fault. */
import { engineClient } from '#test/runtime/engine-client.ts';
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { expect } from 'vitest';
import { ofType, type Event, type Service } from '#test/journeys/service.ts';

interface StoredItem {
  readonly first: number;
  readonly last: number;
  /** The id of the request that caused the append. */
  readonly cause: string | undefined;
}

export async function storedItems(service: Service, session: string): Promise<readonly StoredItem[]> {
  const { runtime } = service;
  const client = engineClient(runtime);
  const { Items = [] } = await client.send(
    new QueryCommand({
      TableName: runtime.template.outputs['LogTableName'],
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: `${session}/${session.replace(/^sesn_/, 'sthr_')}` } },
      ConsistentRead: true,
    }),
  );
  client.destroy();
  return Items.map((item) => ({
    first: Number(item['sk']?.N),
    last: Number(item['last']?.N),
    cause: item['cause']?.S,
  }));
}

/** Items, events and results have no gap and no repeat, and every request that began has ended. */
export async function expectSound(service: Service, session: string): Promise<readonly Event[]> {
  const items = await storedItems(service, session);
  const expected = items.reduce<{ next: number; ok: boolean }>(
    (walk, item) => ({ next: item.last + 1, ok: walk.ok && item.first === walk.next }),
    { next: 1, ok: true },
  );
  expect(expected.ok, `the log's items are ${JSON.stringify(items)}`).toBe(true);
  const events = await service.events(session);
  expect(new Set(events.map((event) => event.id)).size).toBe(events.length);
  const uses = [...ofType(events, 'agent.tool_use'), ...ofType(events, 'agent.mcp_tool_use')];
  const answered = [
    ...ofType(events, 'agent.tool_result').map((event) => event.tool_use_id),
    ...ofType(events, 'agent.mcp_tool_result').map((event) => event.mcp_tool_use_id),
  ];
  expect(answered.toSorted()).toEqual(uses.map(({ id }) => id).toSorted());
  const starts = ofType(events, 'span.model_request_start').map((event) => event.id);
  const ends = ofType(events, 'span.model_request_end').map((event) => event.model_request_start_id);
  expect(ends.toSorted()).toEqual(starts.toSorted());
  expect(service.standIn.refusals).toEqual([]);
  return events;
}
