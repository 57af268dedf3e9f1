/**
 * Session rows. Their status, usage, run, `updatedAt` and the keys of the index of running sessions are written by the
 * session log, together with the append that changes them; here they are created, read, archived and removed.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { SessionAgent } from '#contract/agents.ts';
import { EnvironmentId, Instant, SessionId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { Metadata } from '#contract/metadata.ts';
import type { PackageList } from '#contract/packages.ts';
import { SessionStatus } from '#contract/sessions.ts';
import { Usage } from '#contract/usage.ts';
import type { SessionListRequest, SessionRecord, SessionRecords } from '#core/ports/records.ts';
import { listRows, type Filter } from '#aws/list-rows.ts';
import { archiveRow, isOf, json, listKeys, optional, parseRow, textOf } from '#aws/row.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import { createTable, IS_NEW, mustBeSaved, type Columns, type Key, type Row } from '#aws/table.ts';

const SESSION = 'session';

const Details = z.object({
  id: SessionId,
  agent: SessionAgent,
  environment_id: EnvironmentId,
  vault_ids: z.array(VaultId).default([]),
  title: z.string().nullable(),
  metadata: Metadata,
  created_at: Instant,
});

const Stored = z.object({
  workspace: WorkspaceId,
  body: json(Details),
  status: SessionStatus,
  usage: json(Usage),
  runningSk: optional(Instant),
  updatedAt: Instant,
  archivedAt: optional(Instant),
});

interface SessionRecordsOptions {
  readonly dynamodb: DynamoDBClient;
  readonly recordsTable: string;
  readonly logTable: string;
  readonly content: ContentStore;
  /** Makes the name of the first append; unique. */
  readonly newName: () => string;
  /** The row of a sandbox with these packages, which is created together with its session. */
  readonly plannedSandbox: (session: SessionId, packages: PackageList) => Key & Columns;
}

export function createSessionRecords(options: SessionRecordsOptions): SessionRecords {
  const table = createTable(options.dynamodb, options.recordsTable);
  const keyOf = (id: string) => ({ pk: id, sk: SESSION });

  return {
    async create(workspace, details, first, packages) {
      const { state } = first;
      const row = {
        ...keyOf(details.id),
        workspace,
        thread: first.key.thread,
        body: JSON.stringify(details),
        agentId: details.agent.id,
        agentVersion: details.agent.version,
        status: state.status,
        usage: JSON.stringify(state.usage),
        run: state.run,
        updatedAt: first.at,
        runningPk: state.runningSince === null ? null : 'running',
        runningSk: state.runningSince,
        ...listKeys(workspace, SESSION, { createdAt: details.created_at, id: details.id }),
      };
      const name = options.newName();
      const log = await firstAppend(options, first.key, { ...first, name });
      const planned = packages === null ? [] : [table.putting(options.plannedSandbox(details.id, packages))];
      mustBeSaved(await table.transact([table.putting(row, { when: [IS_NEW] }), log, ...planned], name));
    },

    async find(workspace, id) {
      const row = await table.get(keyOf(id));
      return isOf(row, workspace) ? recordOf(row) : null;
    },

    list: (request) =>
      listRows({ table, kind: SESSION, keyOf }, { request, filter: filterOf(request), read: recordOf }),

    async archive(workspace, id, at) {
      const row = await archiveRow(table, keyOf(id), { workspace, at });
      return row === null ? null : recordOf(row);
    },

    async remove(id) {
      for (let keys = await keysOf(id); keys.length > 0; keys = await keysOf(id)) {
        await Promise.all(keys.map((key) => table.remove(key)));
      }
    },
  };

  /** Everything about a session shares its partition: the row, its sandbox, the marks of its calls. */
  async function keysOf(id: SessionId): Promise<readonly Key[]> {
    const query = { where: 'pk = :pk', values: { pk: id }, columns: ['pk', 'sk'], limit: 100 };
    const { rows } = await table.page(query);
    return rows.map((row) => ({ pk: id, sk: textOf(row, 'sk') }));
  }
}

function recordOf(row: Row): SessionRecord {
  const { body: details, runningSk: runningSince, ...columns } = parseRow(Stored, row);
  return { details, runningSince, ...columns };
}

function filterOf(request: SessionListRequest): Filter {
  const statuses = Object.fromEntries((request.statuses ?? []).map((status, index) => [`status${index}`, status]));
  const isOfStatus = `#status IN (${Object.keys(statuses)
    .map((name) => `:${name}`)
    .join(', ')})`;
  return {
    conditions: [
      ...(request.statuses === null ? [] : [isOfStatus]),
      ...(request.agent === null ? [] : ['agentId = :agent']),
      ...(request.agentVersion === null ? [] : ['agentVersion = :version']),
    ],
    values: { ...statuses, agent: request.agent, version: request.agentVersion },
  };
}
