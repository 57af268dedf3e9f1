/** A call of a payments tool, as the proxy describes it to the policies. */
import { createHash } from 'node:crypto';
import { AgentId, SessionId, ThreadId, WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';
import type { WorkspacePolicy } from '#contract/policy.ts';
import type { CallFacts, Policies } from '#core/ports/policy.ts';
import { policyHash } from '#core/policy/policy-set.ts';
import { createPolicies } from '#aws/policy/policies.cedar.ts';

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export const PAY = 'https://pay.example.com/mcp';

export const REFUND: McpTool = {
  name: 'refund',
  description: 'Pays money back.',
  input_schema: {
    type: 'object',
    properties: { amount: { type: 'number' }, note: { type: 'string' } },
    required: ['amount'],
  },
  hints: {},
};

export const tool = (name: string, input_schema: McpTool['input_schema'] = { type: 'object' }): McpTool => {
  return { name, description: '', input_schema, hints: {} };
};

export const FACTS: CallFacts = {
  workspace: WorkspaceId.parse('wrkspc_1'),
  session: SessionId.parse('sesn_1'),
  thread: { id: ThreadId.parse('sthr_1'), isPrimary: true, depth: 0 },
  agent: { id: AgentId.parse('agent_1'), version: 3, name: 'Ada' },
  user: 'alice',
  server: { name: 'payments', url: PAY },
  tool: REFUND,
  isConfirmed: false,
  at: '2026-11-21T10:00:00.000Z',
};

export function policyOf(policies: string, fields: Partial<WorkspacePolicy> = {}): WorkspacePolicy {
  const policy = { policies, default: 'deny' as const, ...fields };
  const hash = policyHash(policy, sha256);
  return { type: 'policy', version: 1, mode: 'enforce', sha256: hash, created_at: FACTS.at, ...policy };
}

/** Policies from one document, and a count of its reads. Time stands still unless a test moves it. */
export function policiesOf(first: WorkspacePolicy | null) {
  const stored = { document: first, nowMs: 0, pointers: 0, versions: 0, fails: false };
  const policies: Policies = createPolicies({
    nowMs: () => stored.nowMs,
    records: {
      async pointer() {
        stored.pointers += 1;
        if (stored.fails) throw new Error('the table does not answer');
        return stored.document;
      },
      async version() {
        stored.versions += 1;
        return stored.document;
      },
    },
  });
  return { ...policies, stored };
}
