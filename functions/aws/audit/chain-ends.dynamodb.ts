/** The ends of audit chains in DynamoDB, and the register of the workspaces that have some. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { WorkspaceId } from '#contract/ids.ts';
import type { ChainEnd, ChainEnds } from '#core/ports/audit.ts';
import { ChainLink } from '#core/audit/verify.ts';
import { auditRecord, auditTable, chainKey, positionKey, REGISTER } from '#aws/audit/audit-row.ts';
import { parseRow } from '#aws/row.ts';
import type { Row } from '#aws/table.ts';

const Registered = z.object({ sk: WorkspaceId });

export function createChainEnds(dynamodb: DynamoDBClient, name: string): ChainEnds {
  const table = auditTable(dynamodb, name);

  async function end(workspace: WorkspaceId, chain: string, position: number | null): Promise<ChainEnd | null> {
    const pk = chainKey(workspace, chain);
    const values = { pk, ...(position === null ? {} : { sk: positionKey(position) }) };
    const where = position === null ? 'pk = :pk' : 'pk = :pk AND sk = :sk';
    const { rows } = await table.page({ where, values, order: 'desc', limit: 1 });
    const [row] = rows;
    return row === undefined ? null : endOf(row, { workspace, chain });
  }

  return {
    async *workspaces() {
      for await (const row of table.rows({ where: 'pk = :pk', values: { pk: REGISTER } })) {
        yield parseRow(Registered, row).sk;
      }
    },
    last: (workspace, chain) => end(workspace, chain, null),
    at: end,
  };
}

/** A record that was moved here from another chain, or to another position, is none of this chain. */
function endOf(row: Row, place: { readonly workspace: WorkspaceId; readonly chain: string }): ChainEnd | null {
  const link = ChainLink.safeParse(auditRecord(row)).data;
  if (link === undefined || positionKey(link.position) !== row['sk']) return null;
  const isHere = link.workspace === place.workspace && link.chain === place.chain;
  return isHere ? { position: link.position, hash: link.hash } : null;
}
