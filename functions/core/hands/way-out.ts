/**
 * What a call tells its sandbox of the way to the network. A program that finds no egress proxy waits, and the sandbox asks:
 * only then is the proxy's record read. Where no proxy is ready, the state machine has one provided, once for each call.
 */
import type { ExecuteRequest, WayOut } from '#contract/hands.ts';
import type { HandKey } from '#contract/ids.ts';
import { placeholders } from '#core/egress/placeholder.ts';
import { callerOf, egressToken } from '#core/egress/caller.ts';
import { slotOf } from '#core/hands/proxy-slot.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ReservedSandbox } from '#core/ports/sandboxes.ts';

export interface AskedWayOut extends Pick<Ports, 'proxies' | 'hmac'> {
  /** How many proxies are up all the time. */
  readonly warm: number;
  /** No environment may open anything: programs find their variables and no network. */
  readonly isClosed: boolean;
}

/** The call has to wait for the state machine to provide a proxy. */
export const WAY_OUT_AWAITED = 'way out awaited';

export interface WayOutOfCall {
  first(request: ExecuteRequest): ExecuteRequest;
  /** What to tell a sandbox that asks. `unreachable` is the proxy that it cannot reach. */
  next(request: ExecuteRequest, unreachable: string | null): Promise<ExecuteRequest | typeof WAY_OUT_AWAITED>;
}

interface CallPlace {
  readonly hand: HandKey;
  readonly sandbox: Pick<ReservedSandbox, 'generation' | 'token' | 'network'>;
}

/** A proxy that is named so often, and of which the sandbox has no use, serves no program of this call. */
const MOST_ROUNDS = 2;
const CLOSED = "this deployment opens no network to programs: its option network.max is 'none'";
const NO_PROXY = 'no way to the network could be opened; try again later';

/** `isSecondTime`: the state machine has asked for a proxy. */
export function wayOutOf(
  { wayOut: world, sha256 }: { readonly wayOut: AskedWayOut } & Pick<Ports, 'sha256'>,
  { hand, sandbox }: CallPlace,
  { isSecondTime }: { readonly isSecondTime: boolean },
): WayOutOfCall {
  const told = toldOf(world, { hand, sandbox });
  let rounds = 0;

  async function next(request: ExecuteRequest, unreachable: string | null) {
    if (told === null) return request;
    if (world.isClosed) return { ...request, wayOut: told };
    rounds += 1;
    const slot = slotOf({ sha256 }, hand.session, world.warm);
    const record = await world.proxies.find(slot);
    const isSame = record?.status === 'ready' && record.address === unreachable;
    // When the state machine has had ECS asked, the same proxy may be reachable.
    const isOfUse = isSame ? isSecondTime && rounds === 1 : rounds <= MOST_ROUNDS;
    if (record?.status === 'ready' && isOfUse) return { ...request, wayOut: { ...told, proxy: record.address } };
    if (isSame) await world.proxies.unreachable(slot, record.generation);
    if (!isSecondTime && rounds <= MOST_ROUNDS) return WAY_OUT_AWAITED;
    const reason = record?.status === 'failed' ? record.reason : NO_PROXY;
    return { ...request, wayOut: { ...told, reason } };
  }

  return { first: (request) => (told === null ? request : { ...request, wayOut: told }), next };
}

/** Null for a sandbox whose programs reach nothing and find no variable. */
function toldOf(world: AskedWayOut, { hand, sandbox }: CallPlace): WayOut | null {
  const { network = null, token, generation } = sandbox;
  if (network === null) return null;
  const isUsed = network.variables.some(({ unreachable }) => unreachable === undefined);
  const opensTls = isUsed || network.hasRepositories === true;
  return {
    proxy: null,
    caller: callerOf({ ...hand, generation }),
    token: egressToken(world, token),
    variables: placeholders(world, { session: hand.session, token }, network.variables),
    ...(world.isClosed ? { reason: CLOSED } : opensTls && { opensTls }),
  };
}
