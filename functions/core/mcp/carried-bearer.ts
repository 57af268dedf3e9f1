/** The token of one exchange with a server: read once, renewed once if the server refuses it. */
import { Fault } from '#core/ports/errors.ts';
import type { Identity } from '#core/mcp/acting.ts';
import type { McpTarget } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { Bearer, NoBearer } from '#core/ports/tokens.ts';

export interface Carried {
  readonly status: 'carried';
  /** Null towards a server for which the session has no credential. */
  readonly bearer: McpTarget['bearer'];
  /** Every secret that was used: to be taken out of whatever comes back. */
  inUse(): readonly string[];
  /** Of the credential's row, when the token was read; null without one. */
  version(): number | null;
  /** Why a refused token could not be renewed; null when it was not tried, or went well. */
  notRenewed(): NoBearer | null;
}

type Known = Extract<Identity, { status: 'known' }>;

/** A vault that does not answer is a token that is not there, for now. */
export async function carryBearer(
  world: Pick<McpProxyWorld, 'tokens' | 'managedTokens'>,
  { user, match, managed }: Pick<Known, 'user' | 'match' | 'managed'>,
  signal: AbortSignal,
): Promise<Carried | NoBearer> {
  if (match === null) return managed === null ? ANONYMOUS : NO_IDENTITY;
  const tokens = managed === null ? world.tokens : world.managedTokens(managed, user);
  const first = await tokens.bearer(match, signal).catch(unavailable);
  if (first.status !== 'bearer') return first;
  const held: Bearer[] = [first];
  const refused: NoBearer[] = [];
  const current = () => held.at(-1) ?? first;
  return {
    status: 'carried',
    bearer: {
      token: async () => current().token,
      async onUnauthorized() {
        const renewed = await tokens.renew(match, current(), signal).catch(unavailable);
        if (renewed.status === 'bearer') return void held.push(renewed);
        refused.push(renewed);
        throw new Fault('secret_unavailable', 'the server refused the token, and there is no other one');
      },
    },
    inUse: () => held.flatMap(({ inUse }) => inUse),
    version: () => current().version,
    notRenewed: () => refused[0] ?? null,
  };
}

function unavailable(error: unknown): NoBearer {
  if (!(error instanceof Fault)) throw error;
  return { status: 'unavailable', retryAfterMs: null, detail: error.code };
}

const ANONYMOUS: Carried = {
  status: 'carried',
  bearer: null,
  inUse: () => [],
  version: () => null,
  notRenewed: () => null,
};

/** Nobody whose organisation could be asked: the server is not asked either, and a sign-in helps. */
const NO_IDENTITY: NoBearer = {
  status: 'needs_reauth',
  retryAfterMs: null,
  detail: 'no vault of the session holds an identity of its user',
};
