/**
 * Consents: one row each, and a pointer per session, vault and server to the latest link that calls wait for. Both
 * disappear a week after the link has run out.
 */
import {
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { ConnectId, type Instant } from '#contract/ids.ts';
import type { ConnectFacts, ConnectRecord, ConnectRecords } from '#core/connect/connect-records.ts';
import { createConnectChanges, join } from '#aws/connect-changes.dynamodb.ts';
import {
  connectKey,
  connectOf,
  expiresAt,
  factsItem,
  pointerKey,
  sessionPartition,
  UNSETTLED,
} from '#aws/connect-item.ts';
import { isLostRace } from '#aws/records-change.dynamodb.ts';
import { isOf, recordsUnavailable, textOf, type Item } from '#aws/records-item.ts';

export function createConnectRecords(dynamodb: DynamoDBClient, table: string): ConnectRecords {
  async function read(Key: Item): Promise<Item | undefined> {
    const { Item } = await dynamodb
      .send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }))
      .catch(recordsUnavailable);
    return Item;
  }

  async function find(id: ConnectId): Promise<ConnectRecord | null> {
    const item = await read(connectKey(id));
    return item === undefined ? null : connectOf(item);
  }

  async function* pages(query: ConstructorParameters<typeof QueryCommand>[0]): AsyncGenerator<Item> {
    let after: Item | undefined;
    do {
      const page = await dynamodb
        .send(new QueryCommand({ ...query, ...(after !== undefined && { ExclusiveStartKey: after }) }))
        .catch(recordsUnavailable);
      yield* page.Items ?? [];
      after = page.LastEvaluatedKey;
    } while (after !== undefined);
  }

  return {
    ...createConnectChanges(dynamodb, table),

    async create(facts) {
      const isNew = 'attribute_not_exists(pk)';
      const command = new PutItemCommand({ TableName: table, Item: factsItem(facts, []), ConditionExpression: isNew });
      await dynamodb.send(command).catch(recordsUnavailable);
    },

    async join(facts, waiting, until) {
      const pointer = await read(pointerKey(waiting.session, facts.vault, facts.server.url));
      if (!isOf(pointer, facts.workspace)) return { status: 'none', latest: null };
      const latest = ConnectId.parse(textOf(pointer, 'link'));
      const found = await find(latest);
      // What is asked for stays as it was offered, so it may be looked at before.
      const fits = found !== null && asksForAll(found, facts);
      const joined = fits ? await join(dynamodb, { table, id: latest }, { waiting, until }) : null;
      return joined === null ? { status: 'none', latest } : { status: 'joined', record: connectOf(joined) };
    },

    async createWaiting(facts, waiting, latest) {
      const Key = pointerKey(waiting.session, facts.vault, facts.server.url);
      const pointer = {
        ...{ ...Key, ...expiresAt(facts) },
        ...{ workspace: { S: facts.workspace }, link: { S: facts.id } },
      };
      const isUnchanged = latest === null ? 'attribute_not_exists(pk)' : 'link = :latest';
      const TransactItems = [
        {
          Put: {
            TableName: table,
            Item: pointer,
            ConditionExpression: isUnchanged,
            ...(latest !== null && { ExpressionAttributeValues: { ':latest': { S: latest } } }),
          },
        },
        {
          Put: {
            TableName: table,
            Item: factsItem(facts, [waiting]),
            ConditionExpression: 'attribute_not_exists(pk)',
          },
        },
      ];
      try {
        await dynamodb.send(new TransactWriteItemsCommand({ TransactItems }));
        return 'saved';
      } catch (cause) {
        return isLostRace(cause) ? 'conflict' : recordsUnavailable(cause);
      }
    },

    find,

    async ofSession(workspace, session) {
      const pointers = pages({
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: sessionPartition(session) } },
        ConsistentRead: true,
      });
      const records: ConnectRecord[] = [];
      for await (const pointer of pointers) {
        const found = isOf(pointer, workspace) ? await find(ConnectId.parse(textOf(pointer, 'link'))) : null;
        if (found !== null) records.push(found);
      }
      return records.toSorted((one, other) => other.createdAt.localeCompare(one.createdAt));
    },

    async *unsettled(before: Instant) {
      const items = pages({
        TableName: table,
        IndexName: 'list',
        KeyConditionExpression: 'listPk = :unsettled AND listSk < :before',
        ExpressionAttributeValues: { ':unsettled': { S: UNSETTLED }, ':before': { S: before } },
      });
      for await (const item of items) yield connectOf(item).id;
    },
  };
}

function asksForAll(record: ConnectRecord, { scopes, server }: Pick<ConnectFacts, 'scopes' | 'server'>): boolean {
  const asked = new Set(record.scopes);
  const sameBeginning = record.server.resourceMetadata === server.resourceMetadata;
  return sameBeginning && scopes.every((scope) => asked.has(scope));
}
