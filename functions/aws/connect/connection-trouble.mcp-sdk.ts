/** The errors of the SDK's helpers as values. Of the other side's words only its error code is kept. */
import { IssuerMismatchError, OAuthError, RegistrationRejectedError } from '@modelcontextprotocol/client';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import { OutboundError } from '#core/ports/outbound.ts';

export function refuse(error: ConnectionTrouble['error'], detail: string): ConnectionTrouble {
  return { status: 'trouble', error, detail };
}

/** Names the error of the SDK; the other side's text is not used. */
export function trouble(otherwise: ConnectionTrouble['error'], error: unknown): ConnectionTrouble {
  if (error instanceof IssuerMismatchError) return refuse('issuer_mismatch', 'the metadata names another issuer');
  if (error instanceof RegistrationRejectedError) return refuse(otherwise, `registration answered ${error.status}`);
  if (error instanceof OAuthError) {
    const code = /^[a-z_]{1,64}$/.test(error.code) ? error.code : 'an unknown error';
    return { ...refuse(otherwise, code), isClientUnknown: error.code === 'invalid_client' };
  }
  if (error instanceof OutboundError) return refuse(otherwise, error.message);
  return refuse(otherwise, error instanceof Error ? error.name : 'unknown');
}
