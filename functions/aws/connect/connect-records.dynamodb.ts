/**
 * Consents: one row each, and a pointer per session, vault and server to the latest link that calls wait for. Both
 * disappear a week after the link has run out.
 */
import { PutItemCommand, TransactWriteItemsCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ConnectId, type Instant } from '#contract/ids.ts';
import type { ConnectFacts, ConnectRecord, ConnectRecords } from '#core/ports/connect-records.ts';
import { createConnectChanges, join } from '#aws/connect/connect-changes.dynamodb.ts';
import {
  connectKey,
  connectOf,
  expiresAt,
  factsItem,
  pointerKey,
  sessionPartition,
  UNSETTLED,
} from '#aws/connect/connect-item.ts';
import { queryAll, readRow, isLostRace } from '#aws/table.ts';
import { isOf, recordsUnavailable, textOf, type Item } from '#aws/row.ts';

export function createConnectRecords(dynamodb: DynamoDBClient, table: string): ConnectRecords {
  const read = (Key: Item) => readRow(dynamodb, table, Key);

  async function find(id: ConnectId): Promise<ConnectRecord | null> {
    const item = await read(connectKey(id));
    return item === undefined ? null : connectOf(item);
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
      const pointers = queryAll(dynamodb, {
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
      const items = queryAll(dynamodb, {
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
