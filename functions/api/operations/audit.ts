/** Export of the audit trail; not in the contract, hence `x`. */
import * as z from 'zod';
import { AuditChain, AuditChainQuery, AuditQuery, AuditRecord, SignedAuditHeads } from '#contract/audit.ts';
import { Instant } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { rangeOf } from '#core/requests/created-range.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { decodeCursor, encodeCursor, keyedPages } from '../cursor.ts';
import { operation } from '../operation.ts';

const ExportCursor = z.strictObject({
  list: z.literal('audit'),
  order: z.literal('asc'),
  at: Instant,
  id: z.string().regex(/^\d\d\.\d{1,32}$/),
});

const chainPages = keyedPages('asc', z.int().min(1));

/** Heads are signed before the records are read, so the records reach them. */
const pageOfRecords = pageOf(AuditRecord).extend({ heads: SignedAuditHeads });

const list = operation({
  route: 'GET /v1/x/audit',
  summary: 'Export audit records, oldest first',
  query: AuditQuery,
  response: pageOfRecords,
  async handle({ world, workspace, query }) {
    const range = rangeOf({ 'created_at[gte]': query.from, 'created_at[lt]': query.to });
    const cursor = decodeCursor(ExportCursor, query.page, { list: 'audit', order: 'asc', range });
    if (isRefusal(cursor)) return cursor;
    const heads = await world.auditSigner.heads(workspace);
    const { records, next } = await world.auditTrail.export({
      ...range,
      workspace,
      session: query.session_id ?? null,
      user: query.user ?? null,
      kind: query.kind ?? null,
      beyond: cursor && { createdAt: cursor.at, id: cursor.id },
      limit: query.limit,
    });
    const next_page = next && encodeCursor({ list: 'audit', order: 'asc', at: next.createdAt, id: next.id });
    return { data: [...records], next_page, heads };
  },
});

const chain = operation({
  route: 'GET /v1/x/audit/chains/{chain}',
  summary: 'Export one whole chain of audit records, by position, for its verification',
  params: z.object({ chain: AuditChain }),
  query: AuditChainQuery,
  response: pageOfRecords.extend({ chain: AuditChain }),
  async handle({ world, workspace, params, query }) {
    const after = chainPages.follows(params.chain, query.page);
    if (isRefusal(after)) return after;
    const page = { after: after ?? 0, limit: query.limit };
    const { chain } = params;
    const heads = await world.auditSigner.heads(workspace);
    const { records, next } = await world.auditTrail.chain(workspace, chain, page);
    const next_page = next === null ? null : chainPages.cursorAt(chain, next);
    return { data: [...records], next_page, chain, heads };
  },
});

export const auditOperations = [list, chain];
