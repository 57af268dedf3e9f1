/**
 * Session rows. Their status, usage, run, `updatedAt` and the keys of the index of running sessions are written by the
 * session log, together with the append that changes them; here they are created, read, archived and removed.
 */
import {
  DeleteItemCommand,
  GetItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { SessionAgent } from '#contract/agents.ts';
import { EnvironmentId, Instant, SessionId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { Metadata } from '#contract/metadata.ts';
import type { PackageList } from '#contract/packages.ts';
import { SessionStatus } from '#contract/sessions.ts';
import { Usage } from '#contract/usage.ts';
import type { SessionListRequest, SessionRecord, SessionRecords } from '#core/ports/records.ts';
import { archiveRow } from '#aws/table.ts';
import { bodyOf, isOf, listKeys, recordsUnavailable, textOf, type Item } from '#aws/row.ts';
import { listRows, type Filter } from '#aws/list-rows.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';

const SESSION = 'session';

const Details = z.object({
  id: SessionId,
  agent: SessionAgent,
  environment_id: EnvironmentId,
  // Rows of sessions that were created before there were vaults have none.
  vault_ids: z.array(VaultId).default([]),
  title: z.string().nullable(),
  metadata: Metadata,
  created_at: Instant,
});

export interface SessionRecordsOptions {
  readonly dynamodb: DynamoDBClient;
  readonly recordsTable: string;
  readonly logTable: string;
  readonly content: ContentStore;
  /** Makes the name of the first append; unique. */
  readonly newName: () => string;
  /** The row of a sandbox with these packages, which is created together with its session. */
  readonly plannedSandbox: (session: SessionId, packages: PackageList) => Item;
}

export function createSessionRecords(options: SessionRecordsOptions): SessionRecords {
  const { dynamodb, recordsTable: table } = options;
  const keyOf = (id: string): Item => ({ pk: { S: id }, sk: { S: SESSION } });

  return {
    async create(workspace, details, first, packages) {
      const Item = {
        ...keyOf(details.id),
        workspace: { S: workspace },
        thread: { S: first.key.thread },
        body: { S: JSON.stringify(details) },
        agentId: { S: details.agent.id },
        agentVersion: { N: String(details.agent.version) },
        status: { S: first.state.status },
        usage: { S: JSON.stringify(first.state.usage) },
        run: { N: String(first.state.run) },
        updatedAt: { S: first.at },
        ...(first.state.runningSince === null
          ? {}
          : { runningPk: { S: 'running' }, runningSk: { S: first.state.runningSince } }),
        ...listKeys(workspace, SESSION, { createdAt: details.created_at, id: details.id }),
      };
      const row = { Put: { TableName: table, Item, ConditionExpression: 'attribute_not_exists(pk)' } };
      const planned =
        packages === null ? [] : [{ Put: { TableName: table, Item: options.plannedSandbox(details.id, packages) } }];
      const name = options.newName();
      const log = await firstAppend(options, first.key, { ...first, name });
      await dynamodb
        .send(new TransactWriteItemsCommand({ TransactItems: [row, log, ...planned], ClientRequestToken: name }))
        .catch(recordsUnavailable);
    },

    async find(workspace, id) {
      const { Item } = await dynamodb
        .send(new GetItemCommand({ TableName: table, Key: keyOf(id), ConsistentRead: true }))
        .catch(recordsUnavailable);
      return isOf(Item, workspace) ? recordOf(Item) : null;
    },

    list: (request) =>
      listRows(dynamodb, { table, kind: SESSION, keyOf }, { request, filter: filterOf(request), read: recordOf }),

    async archive(workspace, id, at) {
      const row = await archiveRow(dynamodb, { table, pk: id, sk: SESSION }, { workspace, at });
      return row === null ? null : recordOf(row);
    },

    async remove(id) {
      for (let keys = await keysOf(id); keys.length > 0; keys = await keysOf(id)) {
        await Promise.all(
          keys.map((Key) => dynamodb.send(new DeleteItemCommand({ TableName: table, Key })).catch(recordsUnavailable)),
        );
      }
    },
  };

  /** Everything about a session shares its partition: the row, its sandbox, the marks of its calls. */
  async function keysOf(id: SessionId): Promise<readonly Item[]> {
    const page = await dynamodb
      .send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: id } },
          ProjectionExpression: 'pk, sk',
          ConsistentRead: true,
          Limit: 100,
        }),
      )
      .catch(recordsUnavailable);
    return page.Items ?? [];
  }
}

function recordOf(item: Item): SessionRecord {
  return {
    details: bodyOf(item, 'body', Details),
    workspace: WorkspaceId.parse(textOf(item, 'workspace')),
    status: SessionStatus.parse(textOf(item, 'status')),
    usage: bodyOf(item, 'usage', Usage),
    runningSince: item['runningSk']?.S ?? null,
    updatedAt: textOf(item, 'updatedAt'),
    archivedAt: item['archivedAt']?.S ?? null,
  };
}

function filterOf(request: SessionListRequest): Filter {
  const statuses = Object.fromEntries(
    (request.statuses ?? []).map((status, index) => [`:status${index}`, { S: status }]),
  );
  return {
    conditions: [
      ...(request.statuses === null ? [] : [`#status IN (${Object.keys(statuses).join(', ')})`]),
      ...(request.agent === null ? [] : ['agentId = :agent']),
      ...(request.agentVersion === null ? [] : ['agentVersion = :version']),
    ],
    names: request.statuses === null ? {} : { '#status': 'status' },
    values: {
      ...statuses,
      ...(request.agent === null ? {} : { ':agent': { S: request.agent } }),
      ...(request.agentVersion === null ? {} : { ':version': { N: String(request.agentVersion) } }),
    },
  };
}
