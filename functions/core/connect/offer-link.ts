/** Links for whoever found no credential, or one that may do too little. */
import { ConnectId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ConnectLink, ConnectLinks, ConnectOffer, WaitingCall } from '#core/ports/connect-links.ts';
import type { ConnectFacts, ConnectRecords } from '#core/ports/connect-records.ts';
import { linkFacts, linkUrl, userOfVault } from '#core/connect/link.ts';
import { later } from '#core/ports/instant.ts';
import type { Stamp } from '#core/ports/stamp.ts';

interface OfferWorld {
  readonly connects: Pick<ConnectRecords, 'join' | 'createWaiting'>;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly newToken: () => string;
  /** Null when the deployment has no identity provider. */
  readonly baseUrl: string | null;
}

/** A link that is about to run out is no help for somebody who is told of it now. */
const MIN_REMAINING_MS = 60 * 60_000;
/** Calls of one answer come at once, and each lost race means that another one made the link to join. */
const MAX_RACES = 8;

export function createConnectLinks(world: OfferWorld): ConnectLinks {
  return {
    async offer(offer) {
      const user = userOfVault(offer.vault);
      if (world.baseUrl === null || user === null) return null;
      const facts = factsOf(world, offer, user);
      return linkOf(world.baseUrl, await shared(world, facts, offer.resume));
    },
  };
}

function linkOf(baseUrl: string, record: ConnectFacts): ConnectLink {
  return { id: record.id, url: linkUrl(baseUrl, record) };
}

function factsOf(world: OfferWorld, offer: ConnectOffer, user: string): ConnectFacts {
  const asked = {
    id: ConnectId.parse(`conn_${world.newToken()}`),
    workspace: offer.workspace,
    vault: offer.vault.id,
    server: { url: offer.serverUrl, name: offer.serverName, resourceMetadata: offer.resourceMetadata },
    agent: offer.agent,
    scopes: [...offer.scopes],
    returnUrl: null,
    createdAt: world.stamp.now(),
  };
  return linkFacts(asked, user);
}

async function shared(world: OfferWorld, facts: ConnectFacts, waiting: WaitingCall): Promise<ConnectFacts> {
  const until = later(facts.createdAt, MIN_REMAINING_MS);
  for (let race = 0; race < MAX_RACES; race += 1) {
    const joined = await world.connects.join(facts, waiting, until);
    if (joined.status === 'joined') return joined.record;
    if ((await world.connects.createWaiting(facts, waiting, joined.latest)) === 'saved') return facts;
  }
  throw new Fault(
    'records_unavailable',
    `the links of ${waiting.session} changed ${MAX_RACES} times while one was made`,
  );
}
