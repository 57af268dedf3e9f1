/**
 * Session rows: two for each session, because its status changes many times and its details, which may be large, seldom. A
 * third one, of what its sandboxes find, is there once they find something: the first row then has a number in `contents`.
 * A fourth one, of its outcomes, is there once it has one: the first row counts them in `outcomes`.
 * The session log writes status, usage, run, `primary`, `contents`, `outcomes`, `updatedAt`, the keys of the index of running
 * sessions, and changed details and contents, together with the append that changes them; here the rows are created, read,
 * archived and removed.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { SessionAgent } from '#contract/agents.ts';
import { EnvironmentId, Instant, SessionId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { Metadata } from '#contract/metadata.ts';
import type { PackageList } from '#contract/packages.ts';
import { SessionContents } from '#contract/resources.ts';
import { SessionStatus } from '#contract/sessions.ts';
import { Usage } from '#contract/usage.ts';
import type { SessionListRequest, SessionReader, SessionRecord, SessionRecords } from '#core/ports/records.ts';
import { isStatusOf, listRows, type Filter } from '#aws/list-rows.ts';
import { archiveRow, bodyOf, isOf, json, listKeys, optional, parseRow, textOf } from '#aws/row.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import {
  contentsKey,
  contentsRow,
  detailsKey,
  detailsRow,
  OF_THREADS,
  outcomesIn,
  outcomesKey,
  outcomesWrite,
  PrimaryProgress,
} from '#aws/session/session-rows.dynamodb.ts';
import { createTable, IS_NEW, mustBeSaved, type Columns, type Key, type Row } from '#aws/table.ts';

const SESSION = 'session';

const StoredDetails = z.object({
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
  status: SessionStatus,
  usage: json(Usage),
  runningSk: optional(Instant),
  primary: optional(json(PrimaryProgress)),
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

export function createSessionReader(dynamodb: DynamoDBClient, name: string): SessionReader {
  const table = createTable(dynamodb, name);
  return {
    async find(id) {
      const { rows } = await table.page({
        where: 'pk = :pk AND begins_with(sk, :sk)',
        values: { pk: id, sk: SESSION },
      });
      const [row] = rows;
      return row === undefined || row['sk'] !== SESSION ? null : recordOf(row, rowsByKey(rows));
    },
  };
}

export function createSessionRecords(options: SessionRecordsOptions): SessionRecords {
  const table = createTable(options.dynamodb, options.recordsTable);
  const keyOf = (id: string) => ({ pk: id, sk: SESSION });

  return {
    async create(workspace, details, { packages, contents, ...first }) {
      const { state } = first;
      const row = {
        ...keyOf(details.id),
        workspace,
        thread: first.key.thread,
        agentId: details.agent.id,
        agentVersion: details.agent.version,
        status: state.status,
        usage: JSON.stringify(state.usage),
        run: state.run,
        contents: state.contents ?? null,
        outcomes: state.outcomes?.count ?? null,
        // Fixed for the session's life, for the filter of lists.
        memoryStores: storesIn(contents),
        updatedAt: first.at,
        runningPk: state.runningSince === null ? null : 'running',
        runningSk: state.runningSince,
        ...listKeys(workspace, SESSION, { createdAt: details.created_at, id: details.id }),
      };
      const name = options.newName();
      const log = await firstAppend(options, first, name);
      const planned = packages === null ? [] : [table.putting(options.plannedSandbox(details.id, packages))];
      const found = contents === null ? [] : [table.putting(contentsRow(details.id, contents))];
      const outcomes = outcomesWrite(table, details.id, {}, first.entries);
      const rows = [table.putting(row, { when: [IS_NEW] }), table.putting(detailsRow(details)), ...found, ...outcomes];
      mustBeSaved(await table.transact([...rows, log, ...planned], name));
    },

    async find(workspace, id) {
      // The keys of the others begin with that of the row, so one query reads all.
      const { rows } = await table.page({
        where: 'pk = :pk AND begins_with(sk, :sk)',
        values: { pk: id, sk: SESSION },
      });
      const [row = null] = rows;
      return isOf(row, workspace) ? recordOf(row, rowsByKey(rows)) : null;
    },

    async list(request) {
      const { rows, more } = await listRows(
        { table, kind: SESSION, keyOf },
        { request, filter: filterOf(request), read: (row) => row },
      );
      const others = await table.some(rows.flatMap(({ item, place }) => othersOf(place.id, item)));
      const byKey = rowsByKey(others);
      const found = rows.flatMap(({ item: row, place }) => {
        const item = recordOf(row, byKey);
        // The index names a session for a moment after it was deleted.
        return item === null ? [] : [{ item, place }];
      });
      return { rows: found, more };
    },

    async archive(workspace, id, at) {
      const row = await archiveRow(table, keyOf(id), { workspace, at });
      if (row === null) return null;
      const others = await Promise.all(othersOf(id, row).map(table.get));
      return recordOf(row, rowsByKey(others.filter((other) => other !== null)));
    },

    async remove(id) {
      const keys = { where: 'pk = :pk', values: { pk: id }, columns: ['pk', 'sk'], limit: 100 };
      // Again and again, because what ends together with the session may still add a row.
      for (let removed = 1; removed > 0;) {
        removed = 0;
        for await (const page of table.pages(keys)) {
          const own = page.map((row) => textOf(row, 'sk')).filter((sk) => !sk.startsWith(OF_THREADS));
          await Promise.all(own.map((sk) => table.remove({ pk: id, sk })));
          removed += own.length;
        }
      }
    },
  };

  /** Details, contents and outcomes. Most sessions have details only, so most pay for one read. */
  function othersOf(id: string, row: Row): readonly Key[] {
    const contents = row['contents'] === undefined ? [] : [contentsKey(id)];
    const outcomes = row['outcomes'] === undefined ? [] : [outcomesKey(id)];
    return [detailsKey(id), ...contents, ...outcomes];
  }
}

type RowsByKey = ReadonlyMap<string, Row>;

function rowsByKey(rows: readonly Row[]): RowsByKey {
  return new Map(rows.map((row) => [nameOf(row), row]));
}

function nameOf({ pk, sk }: Row | Key): string {
  return `${String(pk)} ${String(sk)}`;
}

/** DynamoDB has no empty sets. */
function storesIn(contents: SessionContents | null): ReadonlySet<string> | null {
  const stores = (contents?.resources ?? []).flatMap((one) => (one.type === 'memory_store' ? one.memory_store_id : []));
  return stores.length === 0 ? null : new Set(stores);
}

/** Null without its details. */
function recordOf(row: Row, others: RowsByKey): SessionRecord | null {
  const session = textOf(row, 'pk');
  const [details, found, defined] = [detailsKey, contentsKey, outcomesKey].map((keyOf) =>
    others.get(nameOf(keyOf(session))),
  );
  if (details === undefined) return null;
  const { runningSk: runningSince, ...columns } = parseRow(Stored, row);
  const contents = found === undefined ? null : bodyOf(found, 'body', SessionContents);
  const outcomes = defined === undefined ? [] : outcomesIn(defined);
  return { details: bodyOf(details, 'body', StoredDetails), contents, outcomes, runningSince, ...columns };
}

function filterOf(request: SessionListRequest): Filter {
  const status = isStatusOf(request.statuses);
  return {
    conditions: [
      ...status.conditions,
      ...(request.agent === null ? [] : ['agentId = :agent']),
      ...(request.agentVersion === null ? [] : ['agentVersion = :version']),
      ...(request.memoryStore === null ? [] : ['contains(memoryStores, :store)']),
    ],
    values: { ...status.values, agent: request.agent, version: request.agentVersion, store: request.memoryStore },
  };
}
