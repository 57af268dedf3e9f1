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

export async function follow({ client }: Service, session: string): Promise<Follower> {
  const stream = await client.beta.sessions.events.stream(session);
  const seen: Event[] = [];
  let waiting = Promise.withResolvers<void>();
  let ended = false;
  let found = 0;
  let told = 0;
  const read = (async () => {
    for await (const event of stream) {
      if (event.type === 'event_start' || event.type === 'event_delta') continue;
      seen.push(event);
      waiting.resolve();
    }
  })();
  const end = () => {
    ended = true;
    waiting.resolve();
  };
  // When the stream ends, every waiting caller gets an error.
  void read.then(end, end);

  async function next<Type extends Event['type']>(type: Type): Promise<Extract<Event, { type: Type }>> {
    for (;;) {
      waiting = Promise.withResolvers();
      const at = seen.findIndex((event, index) => index >= found && event.type === type);
      const event = seen[at];
      if (event !== undefined) {
        found = at + 1;
        return event as Extract<Event, { type: Type }>;
      }
      if (ended) throw new Error(`the stream ended without ${type}: ${seen.map((one) => one.type).join(', ')}`);
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
    leave: () => stream.controller.abort(),
  };
}
