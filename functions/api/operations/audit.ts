/** Export of the audit trail; not in the contract, hence `x`. */
import * as z from 'zod';
import { AuditChain, AuditChainQuery, AuditQuery, AuditRecord } from '#contract/audit.ts';
import { Instant } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { rangeOf } from '#core/requests/created-range.ts';
import type { Range } from '#core/ports/records.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/refusal.ts';
import type { Place } from '#core/ports/records.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

const EVERYWHEN: Range = { from: null, to: null };

const ExportCursor = z.strictObject({
  list: z.literal('audit'),
  order: z.literal('asc'),
  at: Instant,
  id: z.string().regex(/^\d\d\.\d{1,32}$/),
});

const ChainCursor = z.strictObject({
  list: AuditChain,
  order: z.literal('asc'),
  at: z.null(),
  position: z.int().min(1),
});

const list = operation({
  method: 'GET',
  path: '/v1/x/audit',
  summary: 'Export audit records, oldest first',
  params: NoParams,
  query: AuditQuery,
  body: NoBody,
  response: pageOf(AuditRecord),
  async handle({ world, workspace, query }) {
    const range = rangeOf({ 'created_at[gte]': query.from, 'created_at[lt]': query.to });
    const beyond = query.page === undefined ? null : placeOf(query.page, range);
    if (isRefusal(beyond)) return beyond;
    const found = await world.auditTrail.export({
      ...range,
      workspace,
      session: query.session_id ?? null,
      user: query.user ?? null,
      kind: query.kind ?? null,
      beyond,
      limit: query.limit,
    });
    return { data: [...found.records], next_page: found.next === null ? null : cursorOf(found.next) };
  },
});

function placeOf(page: string, range: Range): Place | RequestRefusal {
  const cursor = decodeCursor(ExportCursor, page, { list: 'audit', order: 'asc', range });
  return isRefusal(cursor) ? cursor : { createdAt: cursor.at, id: cursor.id };
}

function cursorOf({ createdAt, id }: Place): string {
  const cursor: z.infer<typeof ExportCursor> = { list: 'audit', order: 'asc', at: createdAt, id };
  return encodeCursor(cursor);
}

const chain = operation({
  method: 'GET',
  path: '/v1/x/audit/chains/{chain}',
  summary: 'Export one whole chain of audit records, by position, for whoever verifies it',
  params: z.object({ chain: AuditChain }),
  query: AuditChainQuery,
  body: NoBody,
  response: pageOf(AuditRecord),
  async handle({ world, workspace, params, query }) {
    const after = query.page === undefined ? 0 : positionOf(params.chain, query.page);
    if (isRefusal(after)) return after;
    const found = await world.auditTrail.chain(workspace, params.chain, { after, limit: query.limit });
    const next_page = found.next === null ? null : chainCursor(params.chain, found.next);
    return { data: [...found.records], next_page };
  },
});

function positionOf(name: string, page: string): number | RequestRefusal {
  const cursor = decodeCursor(ChainCursor, page, { list: name, order: 'asc', range: EVERYWHEN });
  return isRefusal(cursor) ? cursor : cursor.position;
}

function chainCursor(name: string, position: number): string {
  const cursor: z.infer<typeof ChainCursor> = { list: name, order: 'asc', at: null, position };
  return encodeCursor(cursor);
}

export const auditOperations = [list, chain];
