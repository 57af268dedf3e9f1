/** An event of the session as one line for a person. */
import { clip, seconds, type Terminal } from '../terminal.ts';
import type { Arrival, SessionEvent } from './session.ts';

const STYLES = { user: 'cyan', agent: 'white', tool: 'yellow', service: 'dim', good: 'green', bad: 'red' } as const;

/** Who did what; `tookMs` is how long the thing took that this event ends. */
export type EventLine = readonly [tone: keyof typeof STYLES, actor: string, text: string, tookMs?: number | null];

/** `  1.23 s  agent    I write a program …  0.40 s`, never wider than the screen. */
export function showLine(terminal: Terminal, [tone, actor, text, tookMs = null]: EventLine, atMs: number): void {
  const { columns, line, paint } = terminal;
  const time = seconds(atMs).padStart(8);
  const took = tookMs === null ? '' : `  ${seconds(tookMs)}`;
  const body = clip(text, Math.max(columns - time.length - took.length - 11, 20));
  line(`${paint('dim', time)}  ${paint(STYLES[tone], `${actor.padEnd(8)} ${body}`)}${paint('dim', took)}`);
}

/** Null for events that are not worth a line: fragments of a message that arrives whole afterwards. */
export function describeEvent({ event }: Arrival, before: readonly Arrival[]): EventLine | null {
  switch (event.type) {
    case 'event_start':
    case 'event_delta':
      return null;
    case 'user.message':
      return ['user', 'you', event.processed_at === null ? textOf(event) : 'the agent took up your message'];
    case 'session.thread_created':
      return ['service', 'thread', `${event.agent_name} begins`];
    case 'agent.thread_message_sent':
      return ['agent', `→ ${event.to_agent_name ?? ''}`, textOf(event)];
    case 'agent.thread_message_received':
      return ['agent', event.from_agent_name === undefined ? 'task' : `← ${event.from_agent_name}`, textOf(event)];
    case 'agent.thinking':
      return ['agent', 'agent', 'thought about it'];
    case 'agent.message':
      return ['agent', 'agent', textOf(event)];
    case 'agent.tool_use':
      return ['tool', event.name, describeCall(event.name, event.input)];
    case 'agent.tool_result': {
      const text = `${event.is_error ? '✗' : '→'} ${textOf(event) || '(no output)'}`;
      return [event.is_error ? 'bad' : 'tool', '', text, took(event.tool_use_id, event.processed_at, before)];
    }
    case 'span.model_request_start':
      return ['service', 'model', 'asked'];
    case 'span.model_request_end': {
      const { input_tokens: input, output_tokens: output, cache_read_input_tokens: cached } = event.model_usage;
      const tookMs = took(event.model_request_start_id, event.processed_at, before);
      if (event.is_error) return ['bad', 'model', 'the request got no answer', tookMs];
      return ['service', 'model', `answered: ${input} tokens in, ${cached} cached, ${output} out`, tookMs];
    }
    case 'session.error':
      return ['bad', 'session', `error: ${event.error.message} (${event.error.retry_status.type})`];
    case 'session.status_idle':
      return [event.stop_reason.type === 'end_turn' ? 'good' : 'bad', 'session', `idle: ${event.stop_reason.type}`];
    case 'session.usage': {
      const { input_tokens: input, output_tokens: output } = event.usage;
      return ['service', 'session', `used ${input ?? 0} tokens in, ${output ?? 0} out`];
    }
    default: {
      const [actor = event.type, ...what] = event.type.split('.');
      return ['service', actor, what.join('.').replaceAll('_', ' ')];
    }
  }
}

/** What the service is busy with after this event; null leaves what was said before. */
export function progressAfter(event: SessionEvent): string | null {
  if (event.type === 'agent.tool_use') return `the sandbox runs ${event.name}`;
  if (event.type === 'agent.tool_result') return 'the model is asked next';
  if (event.type === 'span.model_request_start') return 'the model is answering';
  if (event.type === 'event_delta') return 'the model is writing';
  if (event.type === 'span.model_request_end' && event.is_error) return 'the turn is taken up again';
  return event.type === 'session.status_rescheduled' ? 'waiting before the next try' : null;
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
