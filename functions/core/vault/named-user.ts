import { USER_KEY, type Vault } from '#contract/vaults.ts';

/** The user of a vault, as the customer's identity provider names them; null when the vault names none. */
export function namedUser({ metadata }: Vault): string | null {
  const user = metadata[USER_KEY];
  return user === undefined || user === '' ? null : user;
}

/** Whether it is not known for which user a session with these vaults acts. */
export function isOfTwoUsers(vaults: readonly Vault[]): boolean {
  return new Set(vaults.flatMap((vault) => namedUser(vault) ?? [])).size > 1;
}
