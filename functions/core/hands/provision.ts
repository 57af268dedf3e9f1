/**
 * Makes sure that a hand has a sandbox, and that there is an egress proxy where programs need one.
 */
import { reachesSomething, reachOf, type ReachRules } from '#core/egress/reach.ts';
import { chooseVariables } from '#core/egress/variables.ts';
import type { SandboxNetwork } from '#contract/egress.ts';
import type { HandKey, SessionId } from '#contract/ids.ts';
import { handOfCall, type ProvisionInput, type Provisioned } from '#contract/run.ts';
import { isAlive } from '#core/hands/is-alive.ts';
import type { PackagePorts } from '#core/hands/packages.ts';
import { slotOf } from '#core/hands/proxy-slot.ts';
import { beginStart, startTask, type StartWorld } from '#core/hands/start-task.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ProxySlot, SandboxRecord, Starter } from '#core/ports/sandboxes.ts';

/** What decides what a sandbox reaches and finds, and what leads it there. */
export interface WayOutWorld extends Pick<
  Ports,
  'proxies' | 'sessionReader' | 'environments' | 'vaults' | 'credentials'
> {
  /** Null where no environment may open anything. */
  readonly proxyTasks: Starter<ProxySlot> | null;
  /** How many proxies are up all the time. */
  readonly warm: number;
  /** The option `network.max`. */
  readonly max: ReachRules['max'];
}

export interface ProvisionWorld extends PackagePorts, Pick<Ports, 'sandboxes' | 'tasks' | 'newToken' | 'journal'> {
  readonly wayOut: WayOutWorld;
}

/** A start that had no watcher for so long belongs to a turn that has ended. */
export const STALE_MS = 60_000;
/** A proxy that was started ahead of its use is gone on with by the first that needs it. */
export const PROXY_STALE_MS = 600_000;
/** A proxy that so many calls could not reach is replaced, whatever ECS says of it. */
const MOST_UNREACHABLE = 2;

export async function provision(world: ProvisionWorld, input: ProvisionInput): Promise<Provisioned> {
  let beside: Promise<void> | undefined;
  const beginProxyOnce = (session: SessionId) => void (beside ??= beginProxy(world, session));
  // `execute` tells a failure: its text must not become data of the state machine.
  const { generation } = await startTask(sandboxWorld(world, beginProxyOnce), handOfCall(input));
  await beside;
  return { generation };
}

/** An egress proxy for the sandboxes of a session whose programs wait for one. */
export async function provisionWayOut(world: ProvisionWorld, session: SessionId): Promise<Provisioned | null> {
  return provisionProxy(world, slotOf(world, session, world.wayOut.warm));
}

/** For the sweep, which keeps proxies up. */
export async function provisionProxy(world: ProvisionWorld, slot: ProxySlot): Promise<Provisioned | null> {
  const starting = proxyWorld(world);
  if (starting === null) return null;
  const { generation } = await startTask(starting, slot);
  return { generation };
}

/** `startProxy` is called where a proxy is to start beside the sandbox, whose own start does not wait for it. */
function sandboxWorld(world: ProvisionWorld, startProxy: (session: SessionId) => void): StartWorld<HandKey> {
  return {
    ...world,
    records: world.sandboxes,
    async networkOf(hand, previous) {
      const network = await networkOf(world, hand, previous);
      if (network !== null && opensAhead(network)) startProxy(hand.session);
      return network;
    },
    judge: (record, now) => (isAlive(record, now) ? 'ready' : 'ask'),
    staleMs: STALE_MS,
    named: (hand) => hand,
    notStarted,
  };
}

function proxyWorld(world: ProvisionWorld): StartWorld<ProxySlot> | null {
  const { proxies, proxyTasks } = world.wayOut;
  if (proxyTasks === null) return null;
  return {
    ...world,
    tasks: proxyTasks,
    records: proxies,
    networkOf: async () => null,
    judge: ({ unreachable = 0 }) => (unreachable >= MOST_UNREACHABLE ? 'lost' : 'ask'),
    staleMs: PROXY_STALE_MS,
    named: ({ slot }) => ({ egress_proxy: String(slot) }),
    notStarted: (attempts, seconds) =>
      `no way to the network could be opened: ${attempts} attempts in ${seconds} seconds failed`,
  };
}

/**
 * What the sandbox that is about to start may reach. A changed environment affects sandboxes that start afterwards; where it
 * was deleted, its last sandbox tells what it allowed.
 */
async function networkOf(
  world: ProvisionWorld,
  hand: HandKey,
  previous: SandboxRecord | null,
): Promise<SandboxNetwork | null> {
  const { wayOut } = world;
  const session = await wayOut.sessionReader.find(hand.session);
  if (session === null) return null;
  const { workspace, details, contents } = session;
  const environment = await wayOut.environments.find(workspace, previous?.environment ?? details.environment_id);
  const earlier = previous === null || previous.status === 'planned' ? null : (previous.network?.reach ?? null);
  const rules = { max: wayOut.max, sources: world.sources };
  const reach =
    environment === null
      ? (earlier ?? { type: 'none' as const })
      : reachOf(environment.config.networking, details.agent, rules);
  const variables = await chooseVariables(wayOut, { workspace, vaults: details.vault_ids }, reach);
  const hasRepositories = contents?.resources.some(({ type }) => type === 'github_repository') === true;
  if (!reachesSomething(reach) && variables.length === 0 && !hasRepositories) return null;
  return { workspace, reach, variables: [...variables], ...(hasRepositories && { hasRepositories }) };
}

/** An environment that names hosts means to use them; the default one may never. */
function opensAhead({ reach, variables, hasRepositories }: SandboxNetwork): boolean {
  const isUsed = variables.some(({ unreachable }) => unreachable === undefined);
  return (reach.type === 'limited' && reachesSomething(reach)) || isUsed || hasRepositories === true;
}

/** Best effort: a program that needs it asks again. */
async function beginProxy(world: ProvisionWorld, session: SessionId): Promise<void> {
  const starting = proxyWorld(world);
  if (starting === null) return;
  await beginStart(starting, slotOf(world, session, world.wayOut.warm)).catch((error: unknown) => {
    world.journal.line('egress proxy', { session, outcome: 'not begun', error: errorClass(error) });
  });
}

/** The text that the model reads. */
function notStarted(attempts: number, seconds: number): string {
  const tried = attempts === 1 ? 'One attempt' : `${attempts} attempts`;
  return (
    `The sandbox could not be started. ${tried} in ${seconds} seconds failed. ` +
    'This call had no effect. The next call tries again. Files of an earlier sandbox, if there was one, are gone.'
  );
}
