/**
 * What a sandbox sees in the place of a secret. It follows from the sandbox's token, which no program of the agent knows, so
 * nothing is stored, and a placeholder means nothing in another session, in another sandbox or for another credential.
 * Letters, digits and `_` only: no shell, form or JSON writes it in another way.
 */
import type { SandboxVariable } from '#contract/egress.ts';
import type { CredentialId, SessionId } from '#contract/ids.ts';
import type { Ports } from '#core/ports/ports.ts';

interface PlaceholderOf {
  readonly session: SessionId;
  /** The token of the sandbox's record. */
  readonly token: string;
  readonly credential: CredentialId;
}

/** 192 bits. */
const HEX_DIGITS = 48;

export function placeholderOf({ hmac }: Pick<Ports, 'hmac'>, { session, token, credential }: PlaceholderOf): string {
  return `placeholder_${hmac(token, `placeholder ${session} ${credential}`).slice(0, HEX_DIGITS)}`;
}

/** The environment of a sandbox's programs: names of variables and their placeholders. */
export function placeholders(
  ports: Pick<Ports, 'hmac'>,
  sandbox: Omit<PlaceholderOf, 'credential'>,
  variables: readonly SandboxVariable[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    variables.map(({ name, credential }) => [name, placeholderOf(ports, { ...sandbox, credential })]),
  );
}
