/** An event of the session as one line for a person. */
import type { Arrival, SessionEvent } from './run-demo.ts';

export type Tone = 'user' | 'agent' | 'tool' | 'service' | 'good' | 'bad';

export interface EventLine {
  readonly tone: Tone;
  readonly actor: string;
  readonly text: string;
  /** How long the thing took that this event ends. */
  readonly tookMs?: number;
}

/** Null for events that are not worth a line: fragments of a message that arrives whole afterwards. */
export function describeEvent({ event }: Arrival, before: readonly Arrival[]): EventLine | null {
  switch (event.type) {
    case 'event_start':
    case 'event_delta':
      return null;
    case 'user.message':
      return {
        tone: 'user',
        actor: 'you',
        text: event.processed_at === null ? textOf(event) : 'the agent took up your message',
      };
    case 'agent.thinking':
      return { tone: 'agent', actor: 'agent', text: 'thought about it' };
    case 'agent.message':
      return { tone: 'agent', actor: 'agent', text: textOf(event) };
    case 'agent.tool_use':
      return { tone: 'tool', actor: event.name, text: describeCall(event.name, event.input) };
    case 'agent.tool_result':
      return describeResult(event, took(event.tool_use_id, event.processed_at, before));
    case 'span.model_request_start':
      return { tone: 'service', actor: 'model', text: 'asked' };
    case 'span.model_request_end':
      return describeModelEnd(event, took(event.model_request_start_id, event.processed_at, before));
    case 'session.error':
      return {
        tone: 'bad',
        actor: 'session',
        text: `error: ${event.error.message} (${event.error.retry_status.type})`,
      };
    case 'session.status_idle':
      return {
        tone: event.stop_reason.type === 'end_turn' ? 'good' : 'bad',
        actor: 'session',
        text: `idle: ${event.stop_reason.type}`,
      };
    case 'session.usage':
      return {
        tone: 'service',
        actor: 'session',
        text: `used ${event.usage.input_tokens ?? 0} tokens in, ${event.usage.output_tokens ?? 0} out`,
      };
    default:
      return {
        tone: 'service',
        actor: actorOf(event.type),
        text: event.type.split('.').slice(1).join('.').replaceAll('_', ' '),
      };
  }
}

type EventOf<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>;

function describeResult(event: EventOf<'agent.tool_result'>, tookMs: number | null): EventLine {
  const text = textOf(event) || '(no output)';
  return withTook(
    { tone: event.is_error ? 'bad' : 'tool', actor: '', text: `${event.is_error ? '✗' : '→'} ${text}` },
    tookMs,
  );
}

function describeModelEnd(event: EventOf<'span.model_request_end'>, tookMs: number | null): EventLine {
  const { input_tokens: input, output_tokens: output, cache_read_input_tokens: cached } = event.model_usage;
  const text = event.is_error
    ? 'the request got no answer'
    : `answered: ${input} tokens in, ${cached} cached, ${output} out`;
  return withTook({ tone: event.is_error ? 'bad' : 'service', actor: 'model', text }, tookMs);
}

function withTook(line: EventLine, tookMs: number | null): EventLine {
  return tookMs === null ? line : { ...line, tookMs };
}

/** By the service's clock: several events may reach the client at once. */
function took(startId: string, endedAt: string, before: readonly Arrival[]): number | null {
  const start = before.find(({ event }) => 'id' in event && event.id === startId)?.event;
  if (start === undefined || !('processed_at' in start) || start.processed_at == null) return null;
  return Date.parse(endedAt) - Date.parse(start.processed_at);
}

/** The input field that says most about a call, by tool. */
const TELLING: Readonly<Record<string, string>> = {
  bash: 'command',
  read: 'file_path',
  write: 'file_path',
  edit: 'file_path',
  glob: 'pattern',
  grep: 'pattern',
};

function describeCall(name: string, input: Readonly<Record<string, unknown>>): string {
  const telling = input[TELLING[name] ?? ''] ?? JSON.stringify(input);
  const size = name === 'write' ? ` (${String(input.content ?? '').length} characters)` : '';
  return `${String(telling)}${size}`;
}

export function textOf({ content }: { readonly content?: readonly { readonly type: string }[] }): string {
  return (content ?? []).flatMap((block) => ('text' in block ? [String(block.text)] : [])).join('\n');
}

function actorOf(type: string): string {
  return type.split('.')[0] ?? type;
}
