/**
 * Tokens that are fresh when they are used. A static token, and one without a refresh token, that the
 * server refuses is over for its user, but its row stays as it is: only the authorization server's word, never the MCP
 * server's, stops a credential from being used.
 */
import { unlessAborted } from '#core/ports/unless-aborted.ts';
import type { RefreshWorld } from '#core/vault/refresh.ts';
import { createObtainToken } from '#core/vault/obtain-token.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import { credentialPlace } from '#core/ports/vault-records.ts';

export function createTokens(world: RefreshWorld): Tokens {
  const obtain = createObtainToken(world);
  return {
    async bearer({ stored }, signal) {
      const { answer } = await unlessAborted(obtain(stored, { refused: null, signal }), signal);
      return answer;
    },
    async renew({ stored }, { version }, signal) {
      const now = await world.credentials.find(credentialPlace(stored));
      const { answer } = await unlessAborted(obtain(now, { refused: version, signal }), signal);
      return answer;
    },
  };
}
