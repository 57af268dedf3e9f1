/**
 * The way out of the programs of a task: a port of its own at which they find a forward proxy. The relay pipes each
 * connection to the egress proxy, after a line that says for whom it speaks. It reads nothing of what it carries but the
 * first lines of each side. While no proxy is known that can be reached, connections wait here for a bounded time.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { MAX_GREETING_BYTES, RELAY_PORT } from '../functions/contract/egress.ts';
import type { WayOut } from '../functions/contract/hands.ts';
import { certificateFrom } from './certificate.ts';
import { refusalsSeen } from './refusals.ts';
import { answerWith, endBoth, firstBytes, isRepeatable, join } from './connections.ts';

export interface Relay {
  /** Where programs find it; null while it does not listen, because its task reaches nothing or the port is taken. */
  url(): string | null;
  /** What the relay is told with each call. It listens from the first time on. */
  use(wayOut: WayOut, asker: string): Promise<void>;
  /**
   * Null as soon as programs can begin: none needs the proxy's certificate, or it is there, or there is a reason why not.
   * Only one asker at a time is told that a proxy is awaited; the others wait for what it brings.
   */
  hindrance(asker: string): Promise<Awaited | null>;
  /** Resolves when a program waits for a proxy and no other asker was told lately. Never resolves after `signal`. */
  awaited(asker: string, signal: AbortSignal): Promise<Awaited>;
  /** The asker's call has ended, so it brings nothing any more: the next one is told. */
  leave(asker: string): void;
  /** Sentences about what the network rules refused since the last time. */
  takeNotes(): readonly string[];
  close(): void;
}

/** `unreachable` is the proxy that was told and cannot be reached. */
export interface Awaited {
  readonly unreachable: string | null;
}

export interface RelayOptions {
  readonly host: string;
  readonly port?: number | undefined;
  /** Receives the certificate of the proxy's authority, in PEM. */
  readonly trust: (certificate: string) => void;
  readonly times?: RelayTimes | undefined;
}

interface RelayTimes {
  readonly connectMs: number;
  /** A program waits for so long for a proxy, which takes most of a minute to start. */
  readonly holdMs: number;
  /** Without a proxy, for a reason, programs are answered at once for so long. */
  readonly reasonLastsMs: number;
  /** Another asker is told when the first one has brought nothing for so long. */
  readonly tellNextMs: number;
}

const TIMES: RelayTimes = { connectMs: 3000, holdMs: 150_000, reasonLastsMs: 30_000, tellNextMs: 90_000 };
export const USUAL_HOST = '127.0.0.1';
const MAX_HELD = 256;
const MAX_CONNECTIONS = 1000;

const NO_PROXY_CAME = 'no way to the network could be opened in time; try again later';
const TOO_MANY = 'this sandbox has as many connections as one may have; end some of them first';

const NO_ANSWER = 'the connection to the network ended before there was an answer';
/** So many proxies are given a request: one that ends them must not end all that come. */
const MAX_PROXIES = 3;
/** A proxy whose machine is lost says nothing of it. */
const PROBE_AFTER_MS = 30_000;

/** A connection of a program. */
interface Asking {
  readonly client: Socket;
  /** What was read of its request; null while nothing was. */
  readonly asked: Buffer | null;
  /** How many proxies ended without an answer to it. */
  readonly ended: number;
}

/** One that waits for a proxy. */
interface Held {
  readonly asking: Asking;
  readonly timer: NodeJS.Timeout;
}

export function createRelay({ host, port = RELAY_PORT, trust, times = TIMES }: RelayOptions): Relay {
  let listening: Promise<Server | null> | null = null;
  let server: Server | null = null;
  let wayOut: WayOut | null = null;
  /** The proxy's address, while it can be reached as far as is known. */
  let proxy: string | null = null;
  let unreachable: string | null = null;
  /** The proxy whose certificate programs trust. */
  let trusted: string | null = null;
  let closed: { readonly reason: string; readonly until: number } | null = null;
  let told: { readonly asker: string; readonly at: number } | null = null;
  const held = new Set<Held>();
  const open = new Set<Socket>();
  const wakeups = new Set<() => void>();
  const refusals = refusalsSeen();

  function wake(): void {
    for (const wakeup of wakeups) wakeup();
  }

  async function use(next: WayOut, asker: string): Promise<void> {
    wayOut = next;
    // Several calls may be the first. A port that is taken must not keep calls from being made.
    listening ??= listenAt({ host, port }, accept);
    server = await listening;
    if (next.reason !== undefined) close(next.reason);
    else if (next.proxy !== null && isNews(next.proxy, asker)) await take(next.proxy);
    else if (proxy !== null && !isReady()) await fetchCertificate(proxy);
    wake();
  }

  /** The asker that was told of a proxy that cannot be reached has had it looked at, and brings it again. */
  function isNews(address: string, asker: string): boolean {
    return address !== proxy && (address !== unreachable || told?.asker === asker);
  }

  async function take(address: string): Promise<void> {
    [proxy, unreachable, told, closed] = [address, null, null, null];
    if (wayOut?.opensTls) await fetchCertificate(address);
    releaseHeld((asking) => void pass(asking));
  }

  function close(reason: string): void {
    told = null;
    closed = { reason, until: Date.now() + times.reasonLastsMs };
    releaseHeld(({ client }) => refuse(client, reason));
  }

  function releaseHeld(then: (asking: Asking) => void): void {
    const waiting = [...held];
    held.clear();
    for (const { asking, timer } of waiting) {
      clearTimeout(timer);
      then(asking);
    }
  }

  function refuse(client: Socket, sentence: string): void {
    refusals.noWay(sentence);
    answerWith(client, sentence);
  }

  function accept(client: Socket): void {
    client.on('error', () => client.destroy());
    if (open.size >= MAX_CONNECTIONS) return refuse(client, TOO_MANY);
    open.add(client);
    client.once('close', () => open.delete(client));
    void pass({ client, asked: null, ended: 0 });
  }

  async function pass(asking: Asking): Promise<void> {
    const { client } = asking;
    if (client.destroyed) return;
    const address = proxy;
    if (address === null) return hold(asking);
    const out = await dial(address);
    if (out === null) {
      lose(address);
      return pass(asking);
    }
    if (trusted !== address) void fetchCertificate(address);
    const asked = asking.asked ?? (await firstBytes(client));
    if (asked === null) return endBoth(client, out);
    out.write(asked);
    if (!isRepeatable(asked)) return join(client, out);
    const answer = await firstBytes(out, client);
    if (client.destroyed) return void out.destroy();
    if (answer === null) {
      out.destroy();
      lose(address);
      return passAgain({ client, asked, ended: asking.ended + 1 });
    }
    refusals.read(asked, answer);
    client.write(answer);
    join(client, out);
  }

  /** The proxy accepted the connection and is gone: another one may serve the same request. */
  async function passAgain(asking: Asking): Promise<void> {
    if (asking.ended >= MAX_PROXIES) return refuse(asking.client, NO_ANSWER);
    return pass(asking);
  }

  /** A proxy that cannot be reached is none. */
  function lose(address: string): void {
    if (proxy !== address) return;
    [proxy, unreachable] = [null, address];
  }

  function hold(asking: Asking): void {
    const { client } = asking;
    const reason = isClosed();
    if (reason !== null) return refuse(client, reason);
    if (held.size >= MAX_HELD) return refuse(client, TOO_MANY);
    const timer = setTimeout(() => {
      held.delete(one);
      refuse(client, NO_PROXY_CAME);
    }, times.holdMs);
    const one = { asking, timer };
    held.add(one);
    client.once('close', () => {
      clearTimeout(timer);
      held.delete(one);
    });
    wake();
  }

  /** Connects to the proxy and sends the greeting. Null when the proxy does not take the connection in time. */
  async function dial(address: string): Promise<Socket | null> {
    const said = wayOut;
    const at = addressOf(address);
    if (said === null || at === null) return null;
    const out = connect({
      ...at,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_AFTER_MS,
    });
    const signal = AbortSignal.timeout(times.connectMs);
    try {
      await once(out, 'connect', { signal });
    } catch {
      out.on('error', () => undefined).destroy();
      return null;
    }
    out.on('error', () => out.destroy());
    out.write(greetingOf(said));
    return out;
  }

  async function fetchCertificate(address: string): Promise<void> {
    trusted = address;
    const out = await dial(address);
    const certificate = out && (await certificateFrom(out));
    if (certificate !== null) return trust(certificate);
    trusted = null;
    if (out === null) lose(address);
  }

  function isReady(): boolean {
    return wayOut?.opensTls === undefined || trusted !== null || isClosed() !== null;
  }

  function isClosed(): string | null {
    return closed !== null && Date.now() < closed.until ? closed.reason : null;
  }

  function mayTell(asker: string): boolean {
    return told === null || told.asker === asker || Date.now() > told.at + times.tellNextMs;
  }

  function tell(asker: string): Awaited {
    told = { asker, at: Date.now() };
    return { unreachable };
  }

  async function hindrance(asker: string): Promise<Awaited | null> {
    while (!isReady()) {
      if (mayTell(asker)) return tell(asker);
      await untilWoken();
    }
    return null;
  }

  async function awaited(asker: string, signal: AbortSignal): Promise<Awaited> {
    while (held.size === 0 || !mayTell(asker)) {
      await untilWoken(signal);
      // The call has ended: nothing is told.
      if (signal.aborted) return new Promise(() => undefined);
    }
    return tell(asker);
  }

  function leave(asker: string): void {
    if (told?.asker !== asker) return;
    told = null;
    wake();
  }

  async function untilWoken(signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wakeup = () => resolve();
    const again = setTimeout(wakeup, times.tellNextMs).unref();
    wakeups.add(wakeup);
    signal?.addEventListener('abort', wakeup, { once: true });
    if (signal?.aborted) resolve();
    await promise;
    clearTimeout(again);
    wakeups.delete(wakeup);
    signal?.removeEventListener('abort', wakeup);
  }

  return {
    url: () => (server === null ? null : `http://${host}:${port}`),
    use,
    hindrance,
    awaited,
    leave,
    takeNotes: refusals.take,
    close() {
      server?.close();
      releaseHeld(({ client }) => client.destroy());
      for (const client of open) client.destroy();
    },
  };
}

/** Null when the port is taken: then programs find no way out. */
async function listenAt(
  address: { readonly host: string; readonly port: number },
  accept: (client: Socket) => void,
): Promise<Server | null> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  server.listen(address);
  return once(server, 'listening').then(
    () => server,
    () => null,
  );
}

function addressOf(text: string): { readonly host: string; readonly port: number } | null {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  return host === undefined || Number(port) > 65_535 ? null : { host, port: Number(port) };
}

function greetingOf({ caller, token }: WayOut): string {
  return `EGRESS ${caller} ${token}\n`.slice(0, MAX_GREETING_BYTES);
}
