/** Agents: one row per version, and one for the latest, which is the one that lists show and that is archived. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Agent } from '#contract/agents.ts';
import type { AgentRecords } from '#core/ports/records.ts';
import { listRows } from '#aws/list-rows.ts';
import { IS_ACTIVE, archivedAtOf, archiveRow, bodyOf, isOf, listKeys } from '#aws/row.ts';
import { createTable, IS_NEW, mustBeSaved, type Row } from '#aws/table.ts';
import { versionKey, versionRows } from '#aws/version-rows.ts';

const LATEST = 'agent#latest';
const VERSION = 'agent#v';

export function createAgentRecords(dynamodb: DynamoDBClient, name: string): AgentRecords {
  const table = createTable(dynamodb, name);
  const latestKey = (id: string) => ({ pk: id, sk: LATEST });
  const versionKeyOf = (id: string, version: number) => ({ pk: id, sk: versionKey(VERSION, version) });

  return {
    async create(workspace, agent) {
      const content = { workspace, body: JSON.stringify(agent) };
      const listed = listKeys(workspace, 'agent', { createdAt: agent.created_at, id: agent.id });
      const rows = [
        { ...versionKeyOf(agent.id, agent.version), ...content },
        { ...latestKey(agent.id), ...content, ...listed },
      ];
      mustBeSaved(await table.transact(rows.map((row) => table.putting(row, { when: [IS_NEW] }))));
    },

    async find(workspace, id, version) {
      const [latest, asked] = await Promise.all([
        table.get(latestKey(id)),
        version === undefined ? null : table.get(versionKeyOf(id, version)),
      ]);
      const found = version === undefined ? latest : asked;
      return isOf(latest, workspace) && isOf(found, workspace) ? agentOf(found, latest) : null;
    },

    list: (request) =>
      listRows({ table, kind: 'agent', keyOf: latestKey }, { request, read: (row) => agentOf(row, row) }),

    async versions(workspace, id, { below, limit }) {
      const latest = await table.get(latestKey(id));
      if (!isOf(latest, workspace)) return null;
      const { rows, more } = await versionRows(table, { pk: id, prefix: VERSION, below, limit });
      return { agents: rows.map((row) => agentOf(row, latest)), more };
    },

    async saveNext(workspace, agent) {
      const content = { workspace, body: JSON.stringify(agent) };
      const isOurs = 'workspace = :workspace';
      const saved = await table.transact([
        // Of two that follow the same version, one finds its row taken.
        table.putting({ ...versionKeyOf(agent.id, agent.version), ...content }, { when: [IS_NEW] }),
        table.updating(latestKey(agent.id), {
          when: [isOurs, IS_ACTIVE],
          values: { workspace },
          set: { body: content.body },
        }),
      ]);
      return saved.status;
    },

    async archive(workspace, id, at) {
      const latest = await archiveRow(table, latestKey(id), { workspace, at });
      return latest === null ? null : agentOf(latest, latest);
    },
  };
}

function agentOf(row: Row, latest: Row): Agent {
  return { ...bodyOf(row, 'body', Agent), archived_at: archivedAtOf(latest) };
}
