/** Sealed audit records, made without a table. */
import { createHash } from 'node:crypto';
import type { AuditEntry, AuditRecord } from '#contract/audit.ts';
import { AgentId, EventId, primaryThread, SessionId, WorkspaceId } from '#contract/ids.ts';
import { recordAfter } from '#core/audit/chain.ts';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export const AUDITED = WorkspaceId.parse('wrkspc_1');

export function subject(session: string, call: string) {
  const id = SessionId.parse(`sesn_${session}`);
  return {
    session: id,
    thread: primaryThread(id),
    agent: AgentId.parse('agent_1'),
    agent_version: 3,
    user: 'alice',
    call: EventId.parse(`sevt_${call}`),
    server: 'payments',
    server_url: 'https://pay.example.com/mcp',
    tool: 'refund',
    args_sha256: sha256('{}'),
  };
}

export function intent(session = '1', call = '1'): AuditEntry {
  const judgement = { decision: 'allow' as const, code: 'default_permit', policy_ids: [], policy_sha256: null };
  return { kind: 'intent', ...subject(session, call), ...judgement, mode: 'none', would: null };
}

export function outcome(session = '1', call = '1'): AuditEntry {
  return {
    kind: 'outcome',
    ...subject(session, call),
    outcome: 'done',
    error: null,
    vault: null,
    credential: null,
    credential_version: null,
    http_status: 200,
    duration_ms: 12,
    secret_echo: false,
  };
}

export function chainOfRecords(length: number, chain = '07'): AuditRecord[] {
  const records: AuditRecord[] = [];
  for (let index = 1; index <= length; index += 1) {
    const at = `2026-11-21T10:00:0${index % 10}.000Z`;
    const record = { id: `aud_${chain}_${index}`, workspace: AUDITED, chain, at, entry: intent('1', String(index)) };
    records.push(recordAfter(records.at(-1) ?? null, record, sha256));
  }
  return records;
}
