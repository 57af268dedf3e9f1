/** What the audit trail says of a consent. */
import type { AuditEntry } from '#contract/audit.ts';
import type { CredentialId } from '#contract/ids.ts';
import type { ConnectFacts } from '#core/ports/connect-records.ts';

interface Deed {
  readonly action: 'connect.approved' | 'connect.cancelled' | 'connect.declined' | 'connect.refused' | 'connect.stored';
  readonly credential?: CredentialId;
  /** Who it was, when it was not the link's own user. */
  readonly user?: string;
  /** Why it was not done. */
  readonly denied?: string;
}

export function administration(facts: Pick<ConnectFacts, 'id' | 'vault' | 'user'>, deed: Deed): AuditEntry {
  return {
    kind: 'administration',
    action: deed.action,
    vault: facts.vault,
    credential: deed.credential ?? null,
    connect: facts.id,
    user: deed.user ?? facts.user,
    outcome: deed.denied === undefined ? 'done' : 'denied',
    reason: deed.denied ?? null,
  };
}
