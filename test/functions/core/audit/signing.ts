/** A key and kept heads in memory, for signing without AWS. */
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import type { AuditHeads, AuditRecord, SignedAuditHeads } from '#contract/audit.ts';
import { AUDIT_CHAINS } from '#contract/audit.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import type { HeadsKey, KeptHeads } from '#core/ports/audit.ts';
import { signedText } from '#core/audit/signed-text.ts';
import { AUDITED } from './records.ts';

export interface TestKey extends HeadsKey {
  signNow(heads: AuditHeads): SignedAuditHeads;
}

export function createKey(namedCurve = 'P-256'): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const public_key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const signNow = (heads: AuditHeads): SignedAuditHeads => {
    const signature = sign('sha256', Buffer.from(signedText(heads)), privateKey).toString('base64');
    return { ...heads, public_key, signature };
  };
  return {
    signNow,
    sign: async (heads) => signNow(heads),
    isOurs: async (heads) =>
      verify('sha256', Buffer.from(signedText(heads)), publicKey, Buffer.from(heads.signature, 'base64')),
  };
}

export function createKept(): KeptHeads & { readonly stored: Map<WorkspaceId, SignedAuditHeads[]> } {
  const stored = new Map<WorkspaceId, SignedAuditHeads[]>();
  return {
    stored,
    async *workspaces() {
      yield* stored.keys();
    },
    async find(workspace) {
      const heads = stored.get(workspace)?.at(-1);
      return heads === undefined ? null : { heads, version: String(stored.get(workspace)?.length) };
    },
    async keep(heads, version) {
      const all = stored.get(heads.workspace) ?? [];
      if (String(version ?? 0) !== String(all.length)) return 'conflict';
      stored.set(heads.workspace, [...all, heads]);
      return 'kept';
    },
  };
}

/** The heads of these chains. */
export function headsOf(records: readonly AuditRecord[], change: Partial<AuditHeads> = {}): AuditHeads {
  const heads = AUDIT_CHAINS.map((chain) => {
    const last = records.findLast((record) => record.chain === chain);
    return { chain, position: last?.position ?? 0, hash: last?.hash ?? null };
  });
  return { type: 'audit_heads', workspace: AUDITED, at: '2026-11-21T10:01:00.000Z', heads, ...change };
}
