/** What managing vaults needs from the outside. */
import type { AllowedHosts } from '#contract/outbound.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';

export interface VaultWorld extends Pick<Ports, 'vaults' | 'credentials' | 'secrets' | 'stamp'> {
  /** Servers of the customer's own, which credentials may be for although they are not public. */
  readonly serversAllowed: AllowedHosts;
  /** `allow`: hosts of the customer's own, where the identity provider may be although they are not public. */
  readonly identities: { readonly enterprise: Enterprise | null; readonly allow: AllowedHosts };
}
