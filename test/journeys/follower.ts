/** A client that follows a session and can wait for an event. */
import type { Event, Service } from '#test/journeys/service.ts';

type Idle = Extract<Event, { type: 'session.status_idle' }>;

export interface Follower {
  readonly session: string;
  /** Every event so far in order. Some events come twice. */
  readonly seen: readonly Event[];
  /** Waits for the first event of a type behind the last one that was waited for. */
  next<Type extends Event['type']>(type: Type): Promise<Extract<Event, { type: Type }>>;
  /** Waits for the next session.status_idle. */
  idle(): Promise<Idle>;
  /** The events since the last call of `since`, up to the last one that was waited for. */
  since(): readonly Event[];
  leave(): void;
}

/**
 * The service ends the stream of a session that is idle for long. As a client has to, this then opens another one when it
 * waits for an event, and lists what came in between.
 */
export async function follow(
  { client, runtime }: Pick<Service, 'client' | 'runtime'>,
  session: string,
): Promise<Follower> {
  const { events } = client.beta.sessions;
  const left = new AbortController();
  const open = () => events.stream(session, {}, { signal: left.signal });
  const first = await open();
  const seen: Event[] = [];
  let waiting = Promise.withResolvers<void>();
  /** Resolves when a caller waits. A follower that a test leaves behind opens no further stream. */
  let wanted = Promise.withResolvers<void>();
  let ended: string | null = null;
  let found = 0;
  let told = 0;
  function see(event: Event): void {
    seen.push(event);
    waiting.resolve();
  }
  /** An event that was accepted before it was processed comes again then. */
  const formOf = (event: Event): string => `${event.id} ${'processed_at' in event && event.processed_at}`;
  async function readToEnd(stream: typeof first, known: ReadonlySet<string>): Promise<void> {
    for await (const event of stream) {
      if (event.type !== 'event_start' && event.type !== 'event_delta' && !known.has(formOf(event))) see(event);
    }
  }
  async function read(): Promise<void> {
    await readToEnd(first, new Set());
    while (isIdle(seen) && !left.signal.aborted) {
      await wanted.promise;
      const stream = await open();
      const known = new Set(seen.map(formOf));
      for await (const event of events.list(session, { limit: 1000 })) {
        if (!known.has(formOf(event))) see(event);
        known.add(formOf(event));
      }
      await readToEnd(stream, known);
    }
  }
  const end = (how: string) => {
    ended = how;
    waiting.resolve();
  };
  // When the stream ends, every waiting caller gets an error.
  void read().then(
    () => end('ended'),
    (error: unknown) => end(`failed (${String(error)})`),
  );

  async function next<Type extends Event['type']>(type: Type): Promise<Extract<Event, { type: Type }>> {
    for (let waits = false; ; waits = true) {
      waiting = Promise.withResolvers();
      const at = seen.findIndex((event, index) => index >= found && event.type === type);
      const event = seen[at];
      if (event !== undefined) {
        found = at + 1;
        if (waits) wanted = Promise.withResolvers();
        return event as Extract<Event, { type: Type }>;
      }
      if (ended !== null)
        throw new Error(`the stream ${ended} without ${type}: ${seen.map((one) => one.type).join(', ')}`);
      wanted.resolve();
      await waiting.promise;
    }
  }

  return {
    session,
    seen,
    next,
    idle: () => next('session.status_idle'),
    since() {
      const events = seen.slice(told, found);
      told = found;
      return events;
    },
    leave() {
      left.abort();
      runtime.faults.leaveStream(session);
    },
  };
}

/** What the last status tells; a session is idle when it is new. */
function isIdle(seen: readonly Event[]): boolean {
  const last = seen.findLast(({ type }) => type.startsWith('session.status_') || type === 'session.deleted');
  return last === undefined || last.type === 'session.status_idle';
}
