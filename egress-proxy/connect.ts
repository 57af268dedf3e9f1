/** Connects to a host at an address that was judged. A second answer of the resolver could differ from the judged one. */
import { connect, isIP, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { decideAddresses } from '#core/egress/decide.ts';
import type { Block } from '#core/outbound/address.ts';
import { judgedLookup } from '#core/outbound/judged-lookup.ts';
import type { Refusal } from './exchange.ts';
import { resolveFairly, type Resolve } from './resolve.ts';

export interface ConnectTimes {
  readonly resolveMs: number;
  /** For one address, when there is another one. */
  readonly attemptMs: number;
  readonly connectMs: number;
  /** A connection that carries nothing for so long has ended. */
  readonly idleMs: number;
}

export const CONNECT_TIMES: ConnectTimes = {
  resolveMs: 10_000,
  attemptMs: 2_000,
  connectMs: 15_000,
  idleMs: 15 * 60_000,
};

/** A name with more addresses than this is reached by the first of them. */
const MAX_ADDRESSES = 8;
/** A silent connection is probed, so that the network does not forget it. */
export const PROBE_AFTER_MS = 30_000;

/** The host was not connected to, for the reason that the refusal tells. */
export class NotReached extends Error {
  override readonly name = 'NotReached';
  readonly refusal: Refusal;

  constructor(refusal: Refusal, cause?: unknown) {
    super(refusal.sentence, { cause });
    this.refusal = refusal;
  }
}

interface Destination {
  readonly host: string;
  readonly port: number;
  readonly admitted: readonly Block[];
  /** The address of the task that asks. */
  readonly asker: string;
}

export type Connect = (to: Destination, signal: AbortSignal) => Promise<Socket>;

/** The promise rejects with `NotReached`, or with the signal's reason. The caller owns the socket. */
export function connectBy(resolve: Resolve, times: ConnectTimes = CONNECT_TIMES): Connect {
  const resolveFor = resolveFairly(resolve);
  return async (to, signal) => {
    const addresses =
      isIP(to.host) === 0 ? await inTime(resolveFor(to.asker, to.host), to.host, times.resolveMs) : [to.host];
    const refused = decideAddresses(to.host, to, addresses);
    if (refused !== null) throw new NotReached({ status: 403, rule: refused.rule, sentence: refused.sentence });
    signal.throwIfAborted();
    const socket = connect({
      host: to.host,
      port: to.port,
      lookup: judgedLookup(addresses.slice(0, MAX_ADDRESSES)),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: times.attemptMs,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_AFTER_MS,
    });
    await connected(socket, to, { ms: times.connectMs, signal });
    return socket.setTimeout(times.idleMs, () => socket.destroy(new Error('the connection was idle')));
  };
}

async function inTime(resolving: Promise<readonly string[]>, host: string, ms: number): Promise<readonly string[]> {
  const over = new AbortController();
  try {
    const addresses = await Promise.race([resolving, sleep(ms, null, { signal: over.signal })]);
    if (addresses === null)
      throw new NotReached(unreachable(504, `${host} could not be resolved within ${ms / 1000} s`));
    if (addresses.length > 0) return addresses;
    throw new NotReached(unreachable(502, `${host} has no address`));
  } catch (cause) {
    if (cause instanceof NotReached) throw cause;
    throw new NotReached(unreachable(502, `${host} could not be resolved (${codeOf(cause)})`), cause);
  } finally {
    over.abort();
  }
}

function connected(
  socket: Socket,
  { host, port }: Destination,
  { ms, signal }: { readonly ms: number; readonly signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error: unknown) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('connect', onConnect);
      if (error === null) return resolve();
      // A late error of a socket that failed is of no use.
      socket.on('error', () => undefined).destroy();
      reject(error);
    };
    const onConnect = () => end(null);
    const onAbort = () => end(signal.reason);
    const onError = (cause: Error) =>
      end(new NotReached(unreachable(502, `${host} port ${port} could not be reached (${codeOf(cause)})`), cause));
    const timer = setTimeout(
      () =>
        end(new NotReached(unreachable(504, `${host} port ${port} did not take a connection within ${ms / 1000} s`))),
      ms,
    );
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', onError).once('connect', onConnect);
  });
}

function unreachable(status: 502 | 504, sentence: string): Refusal {
  return { status, rule: 'unreachable', sentence };
}

function codeOf(error: unknown): string {
  const first = error instanceof AggregateError ? (error.errors.at(-1) as unknown) : error;
  return first instanceof Error && 'code' in first ? String(first.code) : 'closed';
}
