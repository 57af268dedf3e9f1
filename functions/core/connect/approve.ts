/** The user approves: only now does anything exist with which the authorization server could be answered (governance P2). */
import type { Audit } from '#core/ports/audit.ts';
import type { AuthorizationServers, ConnectTrouble } from '#core/ports/authorization-server.ts';
import type { ConnectRecord, ConnectRecords, Flow } from '#core/ports/connect-records.ts';
import { later } from '#core/ports/instant.ts';
import type { Seals } from '#core/ports/login.ts';
import type { ConnectPlan } from '#core/connect/plan.ts';
import { chooseClient, redirectUrl, type RegistrationWorld } from '#core/connect/registration.ts';
import { administration } from '#core/connect/administration.ts';
import type { Visitor } from '#core/connect/visitor.ts';
import type { Stamp } from '#core/ports/stamp.ts';

export interface ApproveWorld extends RegistrationWorld {
  readonly connects: Pick<ConnectRecords, 'begin' | 'registerAnew'>;
  readonly servers: Pick<AuthorizationServers, 'register' | 'authorizationUrl'>;
  readonly seals: Seals;
  readonly audit: Audit;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly newToken: () => string;
}

/** How long the user may take at the authorization server. */
const FLOW_MS = 10 * 60_000;

export type Approved =
  | { readonly status: 'approved'; readonly url: string }
  /** It is not pending any more. */
  | { readonly status: 'over' }
  | ConnectTrouble;

export async function approve(
  world: ApproveWorld,
  { record, visitor }: { readonly record: ConnectRecord; readonly visitor: Visitor },
  { discovered, scopes }: ConnectPlan,
): Promise<Approved> {
  const chosen = await chooseClient(world, record, discovered);
  if (chosen.status === 'trouble') return chosen;
  await world.audit.record(record.workspace, record.vault, administration(record, { action: 'connect.approved' }));
  const nonce = world.newToken();
  const { issuer, namesItself, tokenEndpoint, resource } = discovered;
  const until = later(world.stamp.now(), FLOW_MS);
  const flow: Flow = {
    ...{ nonce, until, issuer, namesItself, tokenEndpoint, resource },
    scopes: [...scopes],
    client: chosen.client,
  };
  if ((await world.connects.begin(record.id, flow)) === 'conflict') return { status: 'over' };
  const url = await world.servers.authorizationUrl(discovered, {
    clientId: chosen.client.id,
    redirectUrl: redirectUrl(world.baseUrl),
    state: await stateOf(world.seals, { id: record.id, nonce, browser: visitor.browser }),
    verifier: await verifierOf(world.seals, record.id, nonce),
    scopes,
  });
  return { status: 'approved', url };
}

/** Names the link and the flow, and holds in one browser only. */
export async function stateOf(
  seals: Seals,
  { id, nonce, browser }: { readonly id: string; readonly nonce: string; readonly browser: string },
): Promise<string> {
  return `${id}.${nonce}.${await seals.seal('state', `${id}.${nonce}.${browser}`)}`;
}

/** PKCE's secret, derived when it is needed, so that it is kept nowhere. */
export function verifierOf(seals: Seals, id: string, nonce: string): Promise<string> {
  return seals.seal('verifier', `${id}.${nonce}`);
}
