/** One session through the official SDK: what any client of the service does, and nothing else. */
import { BadRequestError, type Anthropic } from '@anthropic-ai/sdk';
import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';

export type SessionEvent = BetaManagedAgentsStreamSessionEvents;

/** An event and when it reached the client, in milliseconds after the message was sent. */
export interface Arrival {
  readonly event: SessionEvent;
  readonly atMs: number;
}

interface DemoOptions {
  readonly model: string;
  readonly message: string;
  readonly timeoutMs: number;
  /** Ends the demo before its session has ended. */
  readonly stopping?: AbortSignal;
  /** Previews show the first token before the message is complete. Writing them takes calls that nobody can count. */
  readonly previews: boolean;
  /** Called for each event, with all events before it. */
  onArrival(arrival: Arrival, before: readonly Arrival[]): void;
}

/**
 * Follows a session from its first message until it is idle or terminated, or its stream ends.
 * @throws when it is out of time or told to stop
 */
export async function runDemo(client: Anthropic, options: DemoOptions): Promise<readonly Arrival[]> {
  const session = await openSession(client, options.model);
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.stopping === undefined ? timeout : AbortSignal.any([timeout, options.stopping]);
  // The stream is live only: opened after the message it would miss the first events.
  const stream = await openStream(client, session, { previews: options.previews, signal });
  const sentAt = performance.now();
  await client.beta.sessions.events.send(session, {
    events: [{ type: 'user.message', content: [{ type: 'text', text: options.message }] }],
  });
  const arrivals: Arrival[] = [];
  const ended = await follow(stream, (event) => {
    const arrival = { event, atMs: performance.now() - sentAt };
    options.onArrival(arrival, arrivals);
    arrivals.push(arrival);
  }).catch((error: unknown) => (signal.aborted ? 'cut off' : Promise.reject(error)));
  if (ended === 'finished' || !signal.aborted) return arrivals;
  options.stopping?.throwIfAborted();
  const last = arrivals.at(-1)?.event.type ?? 'no event';
  throw new Error(`The session did not finish within ${options.timeoutMs / 1000} s; its last event was ${last}.`);
}

async function openSession(client: Anthropic, model: string): Promise<string> {
  const agent = await client.beta.agents.create({
    name: 'demo',
    model,
    system: 'You work in a Linux sandbox without network. Use your tools; keep your answers short.',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  const environment = await client.beta.environments.create({ name: 'demo' });
  const session = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  return session.id;
}

/** The session's end is an event; a stream that ends without it was cut off. */
async function follow(
  stream: AsyncIterable<SessionEvent>,
  onEvent: (event: SessionEvent) => void,
): Promise<'finished' | 'cut off'> {
  for await (const event of stream) {
    onEvent(event);
    if (event.type === 'session.status_idle' || event.type === 'session.status_terminated') return 'finished';
  }
  return 'cut off';
}

/** A service without previews refuses the parameter. */
async function openStream(
  client: Anthropic,
  session: string,
  { previews, signal }: { readonly previews: boolean; readonly signal: AbortSignal },
) {
  if (!previews) return client.beta.sessions.events.stream(session, {}, { signal });
  try {
    return await client.beta.sessions.events.stream(session, { event_deltas: ['agent.message'] }, { signal });
  } catch (error) {
    if (!(error instanceof BadRequestError)) throw error;
    return client.beta.sessions.events.stream(session, {}, { signal });
  }
}
