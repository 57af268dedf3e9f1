/** Links for whoever found no credential, or one that may do too little. */
import { ConnectId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ConnectionLink, ConnectionLinks, ConnectionOffer, WaitingCall } from '#core/ports/connection-links.ts';
import type { ConnectionFacts, ConnectionRecords } from '#core/ports/connection-records.ts';
import { connectionFacts, linkUrl, userOfVault } from '#core/connect/connection.ts';
import { later } from '#core/ports/instant.ts';
import type { Stamp } from '#core/ports/stamp.ts';

interface OfferWorld {
  readonly connections: Pick<ConnectionRecords, 'join' | 'createWaiting'>;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly newToken: () => string;
  /** Null when the deployment has no identity provider. */
  readonly baseUrl: string | null;
}

/** A link that is about to run out is no help for somebody who is told of it now. */
const MIN_REMAINING_MS = 60 * 60_000;
/** Calls of one answer come at once, and each lost race means that another one made the link to join. */
const MAX_RACES = 8;

export function createConnectionLinks(world: OfferWorld): ConnectionLinks {
  return {
    async offer(offer) {
      const user = userOfVault(offer.vault);
      if (world.baseUrl === null || user === null) return null;
      const facts = factsOf(world, offer, user);
      return linkOf(world.baseUrl, await shared(world, facts, offer.resume));
    },
  };
}

function linkOf(baseUrl: string, record: ConnectionFacts): ConnectionLink {
  return { id: record.id, url: linkUrl(baseUrl, record) };
}

function factsOf(world: OfferWorld, offer: ConnectionOffer, user: string): ConnectionFacts {
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
  return connectionFacts(asked, user);
}

async function shared(world: OfferWorld, facts: ConnectionFacts, waiting: WaitingCall): Promise<ConnectionFacts> {
  const until = later(facts.createdAt, MIN_REMAINING_MS);
  for (let race = 0; race < MAX_RACES; race += 1) {
    const joined = await world.connections.join(facts, waiting, until);
    if (joined.status === 'joined') return joined.record;
    if ((await world.connections.createWaiting(facts, waiting, joined.latest)) === 'saved') return facts;
  }
  throw new Fault(
    'records_unavailable',
    `the links of ${waiting.session} changed ${MAX_RACES} times while one was made`,
  );
}
