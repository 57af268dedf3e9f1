import { USER_KEY, type Vault } from '#contract/vaults.ts';

/** The user of a vault, as the customer's identity provider names them; null when the vault names none. */
export function namedUser({ metadata }: Vault): string | null {
  const user = metadata[USER_KEY];
  return user === undefined || user === '' ? null : user;
}
