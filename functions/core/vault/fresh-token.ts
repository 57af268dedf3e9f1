/**
 * Tokens that are fresh when they are used (governance §8.5). A static token, and one without a refresh token, that the
 * server refuses is over for its user, but its row stays as it is: only the authorization server's word, never the MCP
 * server's, stops a credential from being used.
 */
import type { RefreshWorld } from '#core/vault/refresh.ts';
import { createObtainToken } from '#core/vault/obtain-token.ts';
import type { Tokens } from '#core/vault/tokens.ts';
import { placeOf } from '#core/vault/vault-records.ts';

export function createTokens(world: RefreshWorld): Tokens {
  const obtain = createObtainToken(world);
  return {
    async bearer({ stored }, signal) {
      const { answer } = await unlessAborted(obtain(stored, { refused: null, signal }), signal);
      return answer;
    },
    async renew({ stored }, { version }, signal) {
      const now = await world.credentials.find(placeOf(stored));
      const { answer } = await unlessAborted(obtain(now, { refused: version, signal }), signal);
      return answer;
    },
  };
}

/** The caller goes; the work goes on, unless it was not begun. Rejects with the signal's reason. */
async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
