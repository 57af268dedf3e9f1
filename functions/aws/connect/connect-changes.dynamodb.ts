/** What happens to a consent, each change conditional on what the row must still say. */
import { ConditionalCheckFailedException, UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { ConnectId, Instant } from '#contract/ids.ts';
import type { WaitingCall } from '#core/ports/connect-links.ts';
import type { ConnectRecords } from '#core/ports/connect-records.ts';
import type { Saved } from '#core/ports/records.ts';
import { connectKey, UNSETTLED, waitingText } from '#aws/connect/connect-item.ts';
import { isLostRace } from '#aws/table.ts';
import { recordsUnavailable, type Item } from '#aws/row.ts';

type Changes = Pick<
  ConnectRecords,
  'begin' | 'registerAnew' | 'take' | 'storing' | 'complete' | 'fail' | 'trouble' | 'resumed' | 'settled'
>;

interface Change {
  readonly update: string;
  readonly when: readonly string[];
  /** By the names that the expressions use. */
  readonly values?: Item;
}

const isPending = '#status = :pending';
const pending = { ':pending': { S: 'pending' } };
const toSettle = 'listPk = :unsettled, listSk = :since';
const unsettled = (id: ConnectId, since: Instant): Item => ({
  ':unsettled': { S: UNSETTLED },
  ':since': { S: `${since}#${id}` },
});
/** Words that DynamoDB keeps for itself. */
const RESERVED: Readonly<Record<string, string>> = { '#status': 'status', '#error': 'error' };

export function createConnectChanges(dynamodb: DynamoDBClient, table: string): Changes {
  async function change(id: ConnectId, { update, when, values = {} }: Change): Promise<Saved> {
    const condition = when.join(' AND ');
    const reserved = Object.entries(RESERVED).filter(([name]) => `${update} ${condition}`.includes(name));
    const command = new UpdateItemCommand({
      TableName: table,
      Key: connectKey(id),
      ConditionExpression: condition,
      UpdateExpression: update,
      ...(reserved.length > 0 && { ExpressionAttributeNames: Object.fromEntries(reserved) }),
      ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
    });
    try {
      await dynamodb.send(command);
      return 'saved';
    } catch (cause) {
      return isLostRace(cause) ? 'conflict' : recordsUnavailable(cause);
    }
  }

  return {
    begin: (id, flow) =>
      change(id, {
        update: 'SET flow = :flow, nonce = :nonce',
        when: [isPending],
        values: { ...pending, ':flow': { S: JSON.stringify(flow) }, ':nonce': { S: flow.nonce } },
      }),

    registerAnew: (id) =>
      change(id, {
        update: 'SET registeredAnew = :true',
        when: [isPending, 'attribute_not_exists(registeredAnew)'],
        values: { ...pending, ':true': { BOOL: true } },
      }),

    take: (id, nonce) =>
      change(id, {
        update: 'REMOVE flow, nonce',
        when: [isPending, 'nonce = :nonce'],
        values: { ...pending, ':nonce': { S: nonce } },
      }),

    storing: (id, storing) =>
      storing === null
        ? change(id, { update: 'REMOVE storing, listPk, listSk', when: [isPending], values: pending })
        : change(id, {
            update: `SET storing = :storing, ${toSettle}`,
            when: [isPending],
            values: { ...pending, ...unsettled(id, storing.since), ':storing': { S: JSON.stringify(storing) } },
          }),

    async complete(id, at) {
      const isCompleted = '#status = :completed';
      // The first instant stays.
      return change(id, {
        update: 'SET #status = :completed, endedAt = if_not_exists(endedAt, :at) REMOVE #error, flow, nonce',
        when: [`(${isPending} OR ${isCompleted})`],
        values: { ...pending, ':completed': { S: 'completed' }, ':at': { S: at } },
      });
    },

    fail: (id, error, at) =>
      change(id, {
        update: `SET #status = :failed, #error = :error, endedAt = :at, ${toSettle} REMOVE flow, nonce`,
        when: [isPending],
        values: {
          ...{ ...pending, ...unsettled(id, at) },
          ...{ ':failed': { S: 'failed' }, ':error': { S: error }, ':at': { S: at } },
        },
      }),

    trouble: (id, error) =>
      change(id, {
        update: 'SET #error = :error',
        when: [isPending],
        values: { ...pending, ':error': { S: error } },
      }),

    async resumed(id, waiting) {
      await change(id, {
        update: 'DELETE waiting :waiting',
        when: ['attribute_exists(pk)'],
        values: { ':waiting': { SS: [waitingText(waiting)] } },
      });
    },

    async settled(id) {
      await change(id, {
        update: 'REMOVE storing, listPk, listSk',
        // One that joined meanwhile is still to be resumed.
        when: ['#status <> :pending', 'attribute_not_exists(waiting)'],
        values: pending,
      });
    },
  };
}

export async function join(
  dynamodb: DynamoDBClient,
  { table, id }: { readonly table: string; readonly id: ConnectId },
  { waiting, until }: { readonly waiting: WaitingCall; readonly until: string },
): Promise<Item | null> {
  const lastsLongEnough = 'openUntil > :until';
  const isCall = waiting.call !== null;
  const command = new UpdateItemCommand({
    TableName: table,
    Key: connectKey(id),
    ConditionExpression: `${isPending} AND ${lastsLongEnough}`,
    UpdateExpression: `ADD waiting :waiting${isCall ? ' SET isForCall = :true' : ''}`,
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: {
      ...{ ...pending, ':until': { S: until }, ':waiting': { SS: [waitingText(waiting)] } },
      ...(isCall && { ':true': { BOOL: true } }),
    },
    ReturnValues: 'ALL_NEW',
  });
  try {
    return (await dynamodb.send(command)).Attributes ?? null;
  } catch (cause) {
    return cause instanceof ConditionalCheckFailedException ? null : recordsUnavailable(cause);
  }
}
