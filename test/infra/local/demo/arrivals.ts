/** The events of a session as they reach the client, for the demo's tests. */
import type { Arrival, SessionEvent } from '#infra/local/demo/session.ts';

const AT = '2026-11-20T10:00:00Z';

function event(id: string, type: string, fields: Record<string, unknown> = {}): SessionEvent {
  return { id, type, processed_at: AT, ...fields } as unknown as SessionEvent;
}

const text = (value: string) => ({ content: [{ type: 'text', text: value }] });
const usage = { input_tokens: 12, output_tokens: 3, cache_read_input_tokens: 8, cache_creation_input_tokens: 0 };

export const ASKED = event('sevt_1', 'user.message', { ...text('add up the primes'), processed_at: null });
export const TAKEN = event('sevt_1', 'user.message', text('add up the primes'));
export const RUNNING = event('sevt_2', 'session.status_running');
export const MODEL_ASKED = event('sevt_3', 'span.model_request_start');
export const THOUGHT = event('sevt_4', 'agent.thinking');
export const CALL = event('sevt_5', 'agent.tool_use', { name: 'bash', input: { command: 'bash primes.sh' } });
export const MODEL_ANSWERED = event('sevt_6', 'span.model_request_end', {
  model_request_start_id: 'sevt_3',
  is_error: false,
  model_usage: usage,
});
export const MODEL_LOST = event('sevt_6', 'span.model_request_end', {
  model_request_start_id: 'sevt_3',
  is_error: true,
  model_usage: usage,
});
export const RESULT = event('sevt_7', 'agent.tool_result', {
  tool_use_id: 'sevt_5',
  is_error: false,
  ...text('sum 24133\n'),
});
export const ANSWER = event('sevt_8', 'agent.message', text('The sum is 24,133.'));
export const FAILED = event('sevt_9', 'session.error', {
  error: { type: 'model_overloaded_error', message: 'Overloaded', retry_status: { type: 'retrying' } },
});
export const USED = event('sevt_10', 'session.usage', { usage, budget: null });
export const PREVIEW = { type: 'event_delta', event_id: 'sevt_8', delta: {} } as unknown as SessionEvent;

export function result(value: string, isError = false): SessionEvent {
  return event('sevt_7', 'agent.tool_result', { tool_use_id: 'sevt_5', is_error: isError, ...text(value) });
}

export function idle(stopReason: string): SessionEvent {
  return event('sevt_11', 'session.status_idle', { stop_reason: { type: stopReason }, stop_details: null });
}

/** Each event comes one second after the one before, by the service's clock and at the client. */
export function arrive(...events: readonly SessionEvent[]): readonly Arrival[] {
  return events.map((event, index) => ({ event: at(event, index * 1000), atMs: index * 1000 }));
}

function at(event: SessionEvent, ms: number): SessionEvent {
  if (!('processed_at' in event) || event.processed_at === null) return event;
  return { ...event, processed_at: new Date(Date.parse(AT) + ms).toISOString() } as SessionEvent;
}
