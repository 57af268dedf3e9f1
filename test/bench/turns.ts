/** The times of one turn as a client sees them, through the official SDK and the session's stream. */
import type Anthropic from '@anthropic-ai/sdk';
import type { Event, Service } from '#test/journeys/service.ts';
import { now } from './figures.ts';

export interface TurnTimes {
  /** POST sent → the model request arrived. */
  readonly toModel: number;
  /** POST sent → the first text reached the client. */
  readonly toText: number;
  /** POST sent → the turn's last event reached the client. */
  readonly whole: number;
}

export interface Follower {
  turn(text: string): Promise<TurnTimes>;
  close(): void;
}

type Stream = Awaited<ReturnType<Anthropic['beta']['sessions']['events']['stream']>>;

/** Follows one session over one stream for any number of turns. */
export async function follow(service: Service, session: string): Promise<Follower> {
  const stream: Stream = await service.client.beta.sessions.events.stream(session);
  const events = stream[Symbol.asyncIterator]();
  return {
    async turn(text) {
      const asked = service.standIn.requests.at(-1)?.arrivedAtMs ?? 0;
      const began = now();
      const sending = service.send(session, text);
      let toText = Number.NaN;
      for (;;) {
        const { value, done } = await events.next();
        if (done === true) throw new Error('the stream ended in mid-turn');
        if (value.type === 'agent.message' && Number.isNaN(toText)) toText = now() - began;
        if (value.type === 'session.status_idle') break;
      }
      const whole = now() - began;
      await sending;
      const request = service.standIn.requests.find((record) => record.arrivedAtMs > Math.max(asked, began - 1));
      return { toModel: (request?.arrivedAtMs ?? Number.NaN) - began, toText, whole };
    },
    close: () => stream.controller.abort(),
  };
}

export type Idle = Extract<Event, { type: 'session.status_idle' }>;

export interface Watcher {
  /** Resolves when the session is next idle, as the client sees it. */
  idle(): Promise<Idle>;
  close(): void;
}

/** Waits for idle sessions over one stream. */
export async function watch(service: Service, session: string): Promise<Watcher> {
  const stream: Stream = await service.client.beta.sessions.events.stream(session);
  const events = stream[Symbol.asyncIterator]();
  return {
    async idle() {
      for (;;) {
        const { value, done } = await events.next();
        if (done === true) throw new Error('the stream ended before the session was idle');
        if (value.type === 'session.status_idle') return value;
      }
    },
    close: () => stream.controller.abort(),
  };
}

/** The same turn in a bare loop with the SDK's streaming helper, without storage. */
export async function bareTurn(client: Anthropic, standIn: Service['standIn'], text: string): Promise<TurnTimes> {
  const began = now();
  let toText = Number.NaN;
  const stream = client.messages.stream({
    model: 'claude-opus-5',
    max_tokens: 1000,
    messages: [{ role: 'user', content: text }],
  });
  stream.on('text', () => {
    if (Number.isNaN(toText)) toText = now() - began;
  });
  await stream.finalMessage();
  return { toModel: (standIn.requests.at(-1)?.arrivedAtMs ?? Number.NaN) - began, toText, whole: now() - began };
}
