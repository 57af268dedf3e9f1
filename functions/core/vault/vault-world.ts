/** What managing vaults needs from the outside. */
import type { AllowedHosts } from '#contract/outbound.ts';
import type { Stamp } from '#core/ports.ts';
import type { SecretWriter } from '#core/vault/secrets.ts';
import type { CredentialRecords, VaultRecords } from '#core/vault/vault-records.ts';

export interface VaultWorld {
  readonly vaults: VaultRecords;
  readonly credentials: CredentialRecords;
  readonly secrets: SecretWriter;
  /** Servers of the customer's own: credentials may be for them although they are not public. */
  readonly serversAllowed: AllowedHosts;
  readonly stamp: Stamp;
}
