/** What managing vaults needs from the outside. */
import type { AllowedHosts } from '#contract/outbound.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { SecretWriter } from '#core/ports/secrets.ts';
import type { CredentialRecords, VaultRecords } from '#core/ports/vault-records.ts';

export interface VaultWorld {
  readonly vaults: VaultRecords;
  readonly credentials: CredentialRecords;
  readonly secrets: SecretWriter;
  /** Servers of the customer's own: credentials may be for them although they are not public. */
  readonly serversAllowed: AllowedHosts;
  /** Users' identities, and where their provider may be although it is not public. */
  readonly identities: { readonly enterprise: Enterprise | null; readonly allow: AllowedHosts };
  readonly stamp: Stamp;
}
