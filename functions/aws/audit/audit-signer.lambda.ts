/** The function that signs heads, invoked by the API for an export. */
import { SignedAuditHeads, type SignAuditRequest } from '#contract/audit.ts';
import type { AuditSigner } from '#core/ports/audit.ts';
import { Fault } from '#core/ports/errors.ts';
import { createInvoke } from '#aws/invoke.lambda.ts';
import type { Env } from '#aws/settings.ts';

/** Below the API's own 29 s; a cold start takes about one. */
const TIMEOUT_MS = 15_000;

export function createAuditSigner(env: Env, functionName: string): AuditSigner {
  const invoke = createInvoke(env, { retries: 2 });
  return {
    async heads(workspace) {
      const input: SignAuditRequest = { do: 'sign', workspace };
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const text = await invoke(functionName, { type: 'RequestResponse', input, signal }).catch(unavailable);
      const heads = SignedAuditHeads.safeParse(JSON.parse(text));
      return heads.data ?? unavailable(heads.error);
    },
  };
}

function unavailable(cause: unknown): never {
  throw new Fault('audit_unavailable', 'the heads of the audit trail were not signed', { cause });
}
