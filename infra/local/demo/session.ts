/** One session through the official SDK: what any client of the service does, and nothing else. */
import type { Anthropic } from '@anthropic-ai/sdk';
import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';

export type SessionEvent = BetaManagedAgentsStreamSessionEvents;

/** An event and when it reached the client, in milliseconds after the message was sent. */
export interface Arrival {
  readonly event: SessionEvent;
  readonly atMs: number;
}

interface SessionOptions {
  readonly model: string;
  readonly message: string;
  /** Previews show the first token before the message is complete. */
  readonly previews: boolean;
  readonly stopping: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Follows a session from its first message until it is idle or terminated, or its stream ends.
 * @throws when it is out of time or told to stop
 */
export async function* followSession(client: Anthropic, options: SessionOptions): AsyncGenerator<Arrival> {
  const { previews, stopping, timeoutMs = 5 * 60_000 } = options;
  const { events } = client.beta.sessions;
  const session = await openSession(client, options.model);
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([timeout, stopping]);
  // The stream is live only: opened after the message it would miss the first events.
  const stream = await events.stream(session, previews ? { event_deltas: ['agent.message'] } : {}, { signal });
  const sentAt = performance.now();
  const content = [{ type: 'text' as const, text: options.message }];
  await events.send(session, { events: [{ type: 'user.message', content }] });
  let last = 'no event';
  try {
    for await (const event of stream) {
      yield { event, atMs: performance.now() - sentAt };
      if (event.type === 'session.status_idle' || event.type === 'session.status_terminated') return;
      last = event.type;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  // The SDK may end an aborted stream without an error.
  stopping.throwIfAborted();
  if (!timeout.aborted) return;
  throw new Error(`The session did not finish within ${timeoutMs / 1000} s; its last event was ${last}.`);
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
