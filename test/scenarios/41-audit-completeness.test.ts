import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AUDIT_CHAINS, AuditRecord, type SignedAuditHeads } from '#contract/audit.ts';
import { WorkspaceId } from '#contract/ids.ts';
import { createAudit } from '#aws/audit/audit.dynamodb.ts';
import { createChainEnds } from '#aws/audit/chain-ends.dynamodb.ts';
import { createAuditTrail } from '#aws/audit/audit-trail.dynamodb.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { createKept, createKey } from '#test/functions/core/audit/signing.ts';
import { signHeads } from '#core/audit/sign-heads.ts';
import { intent, outcome } from '#test/functions/core/audit/records.ts';
import { policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { verdictOf, verifyExport } from '../../infra/cli/audit-verify/verify-export.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_audited');
const CALLS = Array.from({ length: 100 }, (_, index) => ({ session: String(index % 9), call: String(index) }));
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(() => db.close());

async function verified(lines: readonly string[], heads: SignedAuditHeads) {
  async function* exported() {
    yield { where: 'heads', heads };
    for (const [index, line] of lines.entries()) yield { where: `line ${index + 1}`, value: JSON.parse(line) };
  }
  return verifyExport(exported(), { checkpoints: new Map(), chains: AUDIT_CHAINS, key: null, signedAfter: null });
}

describe('scenario 41: the audit trail', () => {
  it('has 100 intents and 100 outcomes for 100 calls, and the verifier names a changed record', async () => {
    const options = { dynamodb: db.client, table: db.auditTable, now: createStamp().now, newToken, pause };
    const instances = [createAudit(options), createAudit(options), createAudit(options)];
    await Promise.all(
      CALLS.map(async ({ session, call }, index) => {
        const audit = instances[index % instances.length];
        await audit?.record(WORKSPACE, session, intent(session, call));
        await audit?.record(WORKSPACE, session, outcome(session, call));
      }),
    );
    const trail = createAuditTrail(db.client, db.auditTable);
    const chains = await Promise.all(
      AUDIT_CHAINS.map((chain) => trail.chain(WORKSPACE, chain, { after: 0, limit: 500 })),
    );
    const records = chains.flatMap((page) => page.records).map((record) => AuditRecord.parse(record));
    for (const kind of ['intent', 'outcome']) {
      const calls = records.flatMap(({ entry }) => (entry.kind === kind && 'call' in entry ? [entry.call] : []));
      expect(calls.toSorted()).toEqual(CALLS.map(({ call }) => `sevt_${call}`).toSorted());
    }
    const lines = records.map((record) => JSON.stringify(record));
    const ends = createChainEnds(db.client, db.auditTable);
    const signing = { ends, key: createKey(), kept: createKept(), now: createStamp().now };
    const { signed: heads } = await signHeads(signing, WORKSPACE);
    expect(verdictOf(await verified(lines, heads))).toBe('intact');
    const at = lines.findIndex((_, index) => records[index]?.position === 3);
    const { chain } = records[at] ?? expect.fail('no chain has three records');
    const named = (position: number, rule: string) => ({
      checks: expect.arrayContaining([
        expect.objectContaining({ chain: `${WORKSPACE} ${chain}`, flaw: expect.objectContaining({ position, rule }) }),
      ]),
    });
    expect(await verified(lines.with(at, (lines[at] ?? '').replace('"refund"', '"refunt"')), heads)).toMatchObject(
      named(3, 'altered'),
    );
    expect(await verified(lines.toSpliced(at - 1, 1), heads)).toMatchObject(named(2, 'missing'));
  });

  it('says for each call its agent, user, policies, credential and outcome', async () => {
    const fx = await startFx();
    onTestFinished(fx.close);
    const document = policyOf('@id("all") permit(principal, action, resource);');
    const { call, audited, open, agent, request } = fxSession(fx, { over: { policies: policiesOf(document) } });
    await call();
    const subject = {
      ...{ session: request.session, thread: request.thread, agent: agent.id, agent_version: agent.version },
      ...{ user: 'alice', call: open.id, server: 'fx', server_url: fx.url, tool: 'sum' },
      args_sha256: sha256('{"a":1,"b":2}'),
    };
    expect(audited).toEqual([
      {
        kind: 'intent',
        ...subject,
        ...{ decision: 'allow', code: 'permitted', policy_ids: ['all'], policy_sha256: document.sha256 },
        ...{ mode: 'enforce', would: null, confirmed: false },
      },
      {
        kind: 'outcome',
        ...subject,
        ...{ outcome: 'done', error: null, vault: 'vlt_alice', credential: 'vcrd_alice', credential_version: 3 },
        ...{ http_status: 200, duration_ms: expect.any(Number), secret_echo: false },
      },
    ]);
  });
});
