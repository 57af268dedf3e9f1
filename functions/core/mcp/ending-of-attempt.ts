/** What an attempt at a call comes to. */
import type { Attempted, PermittedCall } from '#core/mcp/attempt.ts';
import { NOTHING_DONE } from '#core/mcp/audited.ts';
import { consentHelps } from '#core/mcp/consent.ts';
import { endingOfReply } from '#core/mcp/ending-of-reply.ts';
import {
  cameOf,
  failing,
  linkFor,
  MAY_HAVE_HAD_AN_EFFECT,
  retryAfter,
  unauthenticated,
  withLink,
  type Came,
  type Ending,
} from '#core/mcp/ending.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { noToken } from '#core/mcp/trouble.ts';
import type { NoBearer } from '#core/ports/tokens.ts';

export async function endingOf(
  world: McpProxyWorld,
  permitted: PermittedCall,
  attempted: Exclude<Attempted, { status: 'settled' }>,
): Promise<Ending> {
  switch (attempted.status) {
    case 'limited': {
      const text = `The user's calls of this MCP server are limited, and the limit is reached.`;
      const came = cameOf(permitted, null, { outcome: 'failed', error: 'rate_limited' });
      return failing('rate_limited', `${text}${retryAfter(attempted.retryAfterMs)}`, { came, detail: 'own limit' });
    }
    case 'no token':
      return withoutToken(world, permitted, attempted.why);
    case 'unknown':
      return unheard(permitted);
    case 'untold': {
      const { suspension } = attempted;
      const came = cameOf(permitted, null, { outcome: 'suspended', error: 'attempt_died' });
      return { do: 'suspend', error: suspension.error, suspension, since: permitted.since, came, detail: null };
    }
    case 'interrupted': {
      const outcome = attempted.carried === null ? 'failed' : 'unknown';
      const came = cameOf(permitted, attempted.carried, { outcome, error: 'interrupted' });
      return failing('interrupted', MAY_HAVE_HAD_AN_EFFECT, { came, detail: null });
    }
    case 'replied':
      return endingOfReply(world, permitted, attempted);
    default:
      return attempted satisfies never;
  }
}

/** Of a call that an earlier attempt may have sent; null for one that may not be made any more. */
export function unheard(permitted: PermittedCall | null): Ending {
  const text = `An earlier attempt at this call ended before its result was known. ${MAY_HAVE_HAD_AN_EFFECT}`;
  const died = { outcome: 'unknown', error: 'attempt_died' } as const;
  const came = permitted === null ? { ...NOTHING_DONE, ...died } : cameOf(permitted, null, died);
  return failing('outcome_unknown', text, { came, detail: null });
}

async function withoutToken(world: McpProxyWorld, permitted: PermittedCall, why: NoBearer): Promise<Ending> {
  const { server, identity } = permitted.permit;
  const error = { ...noToken(server.name, why, identity), server: server.name };
  const said = (outcome: Came['outcome']) => ({
    came: cameOf(permitted, null, { outcome, error: why.status }),
    detail: why.detail,
  });
  const url = consentHelps(why) ? await linkFor(world, permitted, null) : null;
  if (url !== null) {
    return {
      ...{ do: 'suspend', error: withLink(error, url), suspension: null, since: permitted.since },
      ...said('suspended'),
    };
  }
  return failing('authentication', unauthenticated(why, identity), said('failed'), error);
}
