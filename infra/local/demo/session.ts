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
  readonly previews: boolean;
  readonly signal: AbortSignal;
}

/** Follows a session from its first message until it is idle or terminated. @throws when `signal` aborts */
export async function* followSession(client: Anthropic, options: SessionOptions): AsyncGenerator<Arrival> {
  const { model, message, previews, signal } = options;
  const { agents, environments, sessions } = client.beta;
  const system = 'You work in a Linux sandbox without network. Use your tools; keep your answers short.';
  const agent = await agents.create({ name: 'demo', model, system, tools: [{ type: 'agent_toolset_20260401' }] });
  const environment = await environments.create({ name: 'demo' });
  const { id } = await sessions.create({ agent: agent.id, environment_id: environment.id });
  // The stream is live only: opened after the message it would miss the first events.
  const stream = await sessions.events.stream(id, previews ? { event_deltas: ['agent.message'] } : {}, { signal });
  const sentAt = performance.now();
  await sessions.events.send(id, { events: [{ type: 'user.message', content: [{ type: 'text', text: message }] }] });
  for await (const event of stream) {
    yield { event, atMs: performance.now() - sentAt };
    if (event.type === 'session.status_idle' || event.type === 'session.status_terminated') return;
  }
  // The SDK may end an aborted stream without an error.
  signal.throwIfAborted();
}
