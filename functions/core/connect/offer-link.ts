/** Links for a session that found no credential for a server, or one that does not allow enough. */
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import { connectionFacts, linkUrl, userOfVault } from '#core/connect/connection.ts';
import type { ConnectionLinks, WaitingCall, ConnectionFacts } from '#core/ports/connection-records.ts';
import { Fault } from '#core/ports/errors.ts';
import { later } from '#core/ports/stamp.ts';

interface OfferPorts extends Pick<ConnectWorld, 'connections' | 'stamp' | 'newToken'> {
  /** Null when the deployment has no identity provider. */
  readonly baseUrl: string | null;
}

/** A link that expires sooner is not offered again: its user may read of it too late. */
const MIN_REMAINING_MS = 60 * 60_000;
/** Calls of one answer come at once, and each lost race means that another call made the connection to join. */
const MAX_RACES = 8;

export function createConnectionLinks(world: OfferPorts): ConnectionLinks {
  return {
    async offer({ workspace, vault, server, agent, scopes, resume }) {
      const user = userOfVault(vault);
      if (world.baseUrl === null || user === null) return null;
      const asked = { workspace, vault: vault.id, user, server, agent, scopes, returnUrl: null };
      const facts = await shared(world, connectionFacts(world, asked), resume);
      return { id: facts.id, url: linkUrl(world.baseUrl, facts) };
    },
  };
}

async function shared(world: OfferPorts, facts: ConnectionFacts, waiting: WaitingCall): Promise<ConnectionFacts> {
  const until = later(facts.createdAt, MIN_REMAINING_MS);
  for (let race = 0; race < MAX_RACES; race += 1) {
    const joined = await world.connections.join(facts, waiting, until);
    if (joined.status === 'joined') return joined.record;
    if ((await world.connections.createWaiting(facts, waiting, joined.latest)) === 'saved') return facts;
  }
  throw new Fault(
    'records_unavailable',
    `the connections of ${waiting.session} changed ${MAX_RACES} times while one was made`,
  );
}
