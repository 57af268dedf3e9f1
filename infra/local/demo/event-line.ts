/** An event of the session as one line for a person. */
import type { Arrival, SessionEvent } from './session.ts';

export interface EventLine {
  readonly tone: 'user' | 'agent' | 'tool' | 'service' | 'good' | 'bad';
  readonly actor: string;
  readonly text: string;
  /** How long the thing took that this event ends. */
  readonly tookMs: number | null;
}

export function eventLine(
  tone: EventLine['tone'],
  actor: string,
  text: string,
  tookMs: number | null = null,
): EventLine {
  return { tone, actor, text, tookMs };
}

/** Null for events that are not worth a line: fragments of a message that arrives whole afterwards. */
export function describeEvent({ event }: Arrival, before: readonly Arrival[]): EventLine | null {
  switch (event.type) {
    case 'event_start':
    case 'event_delta':
      return null;
    case 'user.message':
      return eventLine('user', 'you', event.processed_at === null ? textOf(event) : 'the agent took up your message');
    case 'agent.thinking':
      return eventLine('agent', 'agent', 'thought about it');
    case 'agent.message':
      return eventLine('agent', 'agent', textOf(event));
    case 'agent.tool_use':
      return eventLine('tool', event.name, describeCall(event.name, event.input));
    case 'agent.tool_result': {
      const text = textOf(event) || '(no output)';
      const tookMs = took(event.tool_use_id, event.processed_at, before);
      return event.is_error ? eventLine('bad', '', `✗ ${text}`, tookMs) : eventLine('tool', '', `→ ${text}`, tookMs);
    }
    case 'span.model_request_start':
      return eventLine('service', 'model', 'asked');
    case 'span.model_request_end': {
      const { input_tokens: input, output_tokens: output, cache_read_input_tokens: cached } = event.model_usage;
      const tookMs = took(event.model_request_start_id, event.processed_at, before);
      if (event.is_error) return eventLine('bad', 'model', 'the request got no answer', tookMs);
      return eventLine('service', 'model', `answered: ${input} tokens in, ${cached} cached, ${output} out`, tookMs);
    }
    case 'session.error':
      return eventLine('bad', 'session', `error: ${event.error.message} (${event.error.retry_status.type})`);
    case 'session.status_idle': {
      const { type } = event.stop_reason;
      return eventLine(type === 'end_turn' ? 'good' : 'bad', 'session', `idle: ${type}`);
    }
    case 'session.usage': {
      const { input_tokens: input, output_tokens: output } = event.usage;
      return eventLine('service', 'session', `used ${input ?? 0} tokens in, ${output ?? 0} out`);
    }
    default: {
      const [actor = event.type, ...what] = event.type.split('.');
      return eventLine('service', actor, what.join('.').replaceAll('_', ' '));
    }
  }
}

const PROGRESS: { readonly [Type in SessionEvent['type']]?: string } = {
  'span.model_request_start': 'the model is answering',
  event_delta: 'the model is writing',
  'agent.tool_result': 'the model is asked next',
  'session.status_rescheduled': 'waiting before the next try',
};

/** What the service is busy with after this event; null leaves what was said before. */
export function progressAfter(event: SessionEvent): string | null {
  if (event.type === 'agent.tool_use') return `the sandbox runs ${event.name}`;
  if (event.type === 'span.model_request_end' && event.is_error) return 'the turn is taken up again';
  return PROGRESS[event.type] ?? null;
}

/** The agent's last message. */
export function answerOf(arrivals: readonly Arrival[]): string | null {
  const message = arrivals.map(({ event }) => event).findLast((event) => event.type === 'agent.message');
  return message === undefined ? null : textOf(message);
}

export function textOf({ content }: { readonly content?: readonly { readonly type: string }[] }): string {
  return (content ?? []).flatMap((block) => ('text' in block ? [String(block.text)] : [])).join('\n');
}

/** By the service's clock: several events may reach the client at once. */
function took(startId: string, endedAt: string, before: readonly Arrival[]): number | null {
  const start = before.find(({ event }) => 'id' in event && event.id === startId)?.event;
  if (start === undefined || !('processed_at' in start) || start.processed_at == null) return null;
  return Date.parse(endedAt) - Date.parse(start.processed_at);
}

function describeCall(name: string, input: Readonly<Record<string, unknown>>): string {
  const telling = String(input.command ?? input.file_path ?? input.pattern ?? JSON.stringify(input));
  return name === 'write' ? `${telling} (${String(input.content ?? '').length} characters)` : telling;
}
