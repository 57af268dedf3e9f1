import { USER_KEY, type Vault } from '#contract/vaults.ts';

/** Whom a vault belongs to, as the customer's identity provider names them; null when it does not say. */
export function namedUser({ metadata }: Vault): string | null {
  const user = metadata[USER_KEY];
  return user === undefined || user === '' ? null : user;
}
