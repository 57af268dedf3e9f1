/** What changes the requests within one opened tunnel, and their answers. */
import type { Granted } from '#contract/egress.ts';
import { gitAccess, type GitAccess } from '#core/egress/repository-paths.ts';
import { authorityOf } from '#core/egress/target.ts';
import { covers } from '#core/outbound/destination.ts';
import {
  valueOf,
  withoutHeaders,
  type Exchange,
  type HeaderList,
  type Refusal,
  type RequestParts,
} from './exchange.ts';
import type { Judged, Opening } from './opened.ts';
import { redactAnswer } from './redaction.ts';
import { substitute } from './substitute.ts';

type To = Pick<Opening, 'host' | 'port' | 'use'>;
type Allowed = Extract<Judged, { readonly status: 'allowed' }>;

/** For one request. */
export function openedExchange({ granted, reaches }: Allowed, { host, port, use }: To): Exchange {
  const origin = `https://${authorityOf({ host, port }, 443)}`;
  async function change(request: RequestParts): Promise<RequestParts | Refusal> {
    const git = gitAccess(granted.repositories, { origin, ...request });
    if (git === null && reaches === 'repositories') return notARepository(host);
    if (git !== null) return { ...request, headers: authorized(request.headers, git, use) };
    return substitute(request, substitutionsFor(granted, host), ({ credential }) => use.usedSecret(credential));
  }

  return redacting(granted, change);
}

/** Nothing is put into plain HTTP, where each network between reads it. A secret that a server echoes there is redacted. */
export function plainExchange(granted: Granted, { host }: To): Exchange | null {
  return substitutionsFor(granted, host).length === 0 ? null : redacting(granted, async (request) => request);
}

function substitutionsFor({ substitutions }: Granted, host: string) {
  return substitutions.filter(({ hosts }) => hosts === null || hosts.some((pattern) => covers(pattern, host)));
}

function redacting(granted: Granted, change: (request: RequestParts) => Promise<RequestParts | Refusal>): Exchange {
  let method = 'GET';
  return {
    async outgoing(request) {
      ({ method } = request);
      const changed = await change(request);
      if ('sentence' in changed) return changed;
      const headers: HeaderList = [
        ...withoutHeaders(changed.headers, ['accept-encoding']),
        ['Accept-Encoding', 'identity'],
      ];
      return { ...changed, headers };
    },
    incoming: (answer) => redactAnswer(granted, method, answer),
  };
}

/** For the repository itself the token takes the place of what the program sent; for another one the program's counts. */
function authorized(headers: HeaderList, { grant, to }: GitAccess, use: Opening['use']): HeaderList {
  const { authorization, resource } = grant;
  if (authorization === null) return headers;
  if (to === 'owner' && valueOf(headers, 'authorization') !== undefined) return headers;
  use.usedSecret(resource);
  const own = withoutHeaders(headers, ['authorization', authorization.header.toLowerCase()]);
  return [...own, [authorization.header, authorization.value]];
}

function notARepository(host: string): Refusal {
  return {
    status: 403,
    rule: 'repository_paths',
    sentence:
      `of ${host} only the git and LFS paths of the session's repositories are reached; ` +
      `add it to networking.allowed_hosts of the environment, which the next sandbox follows`,
  };
}
