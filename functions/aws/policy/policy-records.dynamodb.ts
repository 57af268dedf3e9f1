/** A workspace's policies: one row per version, and one that says which is in force. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WorkspaceId } from '#contract/ids.ts';
import { PolicyPointer, WorkspacePolicy } from '#contract/policy.ts';
import type { PolicyRecords } from '#core/ports/policy.ts';
import { bodyOf } from '#aws/row.ts';
import { createTable, IS_NEW } from '#aws/table.ts';
import { versionKey, versionRows } from '#aws/version-rows.ts';

const ACTIVE = 'ACTIVE';
const VERSION = 'VERSION#';

export function createPolicyRecords(dynamodb: DynamoDBClient, name: string): PolicyRecords {
  const table = createTable(dynamodb, name);
  const activeKey = (workspace: WorkspaceId) => ({ pk: partition(workspace), sk: ACTIVE });
  const keyOf = (workspace: WorkspaceId, version: number) => {
    return { pk: partition(workspace), sk: versionKey(VERSION, version) };
  };

  return {
    async pointer(workspace) {
      const row = await table.get(activeKey(workspace));
      return row === null ? null : bodyOf(row, 'body', PolicyPointer);
    },

    async version(workspace, version) {
      const row = await table.get(keyOf(workspace, version));
      return row === null ? null : bodyOf(row, 'body', WorkspacePolicy);
    },

    async saveNext(workspace, policy) {
      const { version } = policy;
      const follows = version === 1 ? IS_NEW : 'version = :before';
      const active = { ...activeKey(workspace), version, body: JSON.stringify(PolicyPointer.parse(policy)) };
      const saved = await table.transact([
        // When two versions follow the same one, the second finds this row taken.
        table.putting({ ...keyOf(workspace, version), body: JSON.stringify(policy) }, { when: [IS_NEW] }),
        table.putting(active, { when: [follows], values: { before: version - 1 } }),
      ]);
      return saved.status;
    },

    async versions(workspace, { below, limit }) {
      const { rows, more } = await versionRows(table, { pk: partition(workspace), prefix: VERSION, below, limit });
      return { policies: rows.map((row) => bodyOf(row, 'body', WorkspacePolicy)), more };
    },
  };
}

function partition(workspace: WorkspaceId): string {
  return `${workspace}#POLICY`;
}
