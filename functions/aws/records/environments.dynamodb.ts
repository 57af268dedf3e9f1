/** Environments: one row each. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Environment } from '#contract/environments.ts';
import { Instant, type EnvironmentId, type WorkspaceId } from '#contract/ids.ts';
import type { EnvironmentRecords, RevisedEnvironment } from '#core/ports/records.ts';
import { listRows } from '#aws/list-rows.ts';
import { IS_ACTIVE, archiveRow, isOf, json, listKeys, optional, parseRow } from '#aws/row.ts';
import { createTable, IS_NEW, mustBeSaved, type Row } from '#aws/table.ts';

const ENVIRONMENT = 'environment';

const Stored = z.object({
  body: json(Environment),
  archivedAt: optional(Instant),
  // A row that nothing has replaced yet carries no revision.
  revision: z.int().default(0),
});

export function createEnvironmentRecords(dynamodb: DynamoDBClient, name: string): EnvironmentRecords {
  const table = createTable(dynamodb, name);
  const keyOf = (id: string) => ({ pk: id, sk: ENVIRONMENT });

  async function findRevised(workspace: WorkspaceId, id: EnvironmentId): Promise<RevisedEnvironment | null> {
    const row = await table.get(keyOf(id));
    return isOf(row, workspace) ? revisedOf(row) : null;
  }

  return {
    async create(workspace, environment) {
      const row = {
        ...keyOf(environment.id),
        workspace,
        body: JSON.stringify(environment),
        ...listKeys(workspace, 'environment', { createdAt: environment.created_at, id: environment.id }),
      };
      mustBeSaved(await table.put(row, { when: [IS_NEW] }));
    },

    findRevised,

    async find(workspace, id) {
      return (await findRevised(workspace, id))?.environment ?? null;
    },

    list: (request) => listRows({ table, kind: ENVIRONMENT, keyOf }, { request, read: environmentOf }),

    async replace(workspace, { environment, revision }) {
      const isOurs = 'workspace = :workspace';
      const isUnchanged = revision === 0 ? 'attribute_not_exists(revision)' : 'revision = :revision';
      const written = await table.update(keyOf(environment.id), {
        when: [isOurs, IS_ACTIVE, isUnchanged],
        values: { workspace, revision },
        set: { body: JSON.stringify(environment), revision: revision + 1 },
      });
      return written.status;
    },

    async archive(workspace, id, at) {
      const row = await archiveRow(table, keyOf(id), { workspace, at });
      return row === null ? null : environmentOf(row);
    },

    async remove(workspace, id) {
      if ((await findRevised(workspace, id)) === null) return false;
      // A row that is gone by now was removed by a repeat of this call, or by another caller.
      const isOursOrGone = 'attribute_not_exists(pk) OR workspace = :workspace';
      mustBeSaved(await table.remove(keyOf(id), { when: [isOursOrGone], values: { workspace } }));
      return true;
    },
  };
}

function revisedOf(row: Row): RevisedEnvironment {
  const { body, archivedAt, revision } = parseRow(Stored, row);
  return { environment: { ...body, archived_at: archivedAt }, revision };
}

function environmentOf(row: Row): Environment {
  return revisedOf(row).environment;
}
