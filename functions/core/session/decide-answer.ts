/** One model answer becomes one append: messages, tool uses, the end of the span and, if nothing is left, idle. */
import type { Entry, SessionState } from '#contract/entries.ts';
import type { EventId, Instant } from '#contract/ids.ts';
import type { StopDetails, StopReason } from '#contract/events.ts';
import type { ContentBlock, ModelAnswer, Stamp } from '#core/ports.ts';
import type { Command, Decided } from '#core/session/commands.ts';
import { event, goIdle } from '#core/session/entries.ts';
import { fold } from '#core/session/evolve.ts';

type Answer = Extract<Command, { do: 'answer' }>;

interface ToolCall {
  readonly id: EventId;
  readonly providerId: string;
  readonly name: string;
  readonly input: Record<string, unknown>;
  /** Why this call is not executed; null when it is. */
  readonly denial: string | null;
}

export function decideAnswer(state: SessionState, command: Answer, stamp: Stamp): Decided {
  // Another attempt closed this request and owns the turn now.
  if (state.request?.id !== command.request) return { status: 'decided', entries: [] };
  const now = stamp.now();
  const calls = toolCalls(command, stamp);
  const said: readonly Entry[] = [
    { record: answered(command, calls, now) },
    ...spoken(command.answer, stamp, now),
    ...calls.map((call) => toolUse(call, now)),
    event({
      id: stamp.eventId(),
      type: 'span.model_request_end',
      processed_at: now,
      model_request_start_id: command.request,
      is_error: false,
      model_usage: command.answer.usage,
    }),
    ...calls.filter((call) => call.denial !== null).map((call) => denied(call, stamp, now)),
  ];
  const after = fold({ position: 0, state }, said).state;
  const rests = calls.length === 0 && after.queued.length === 0 && command.answer.stopReason !== 'pause_turn';
  const { reason, details } = stopOf(command.answer);
  return { status: 'decided', entries: rests ? [...said, ...goIdle(after, reason, stamp, details)] : said };
}

function answered(command: Answer, calls: readonly ToolCall[], at: Instant) {
  return {
    kind: 'model.answered' as const,
    request: command.request,
    at,
    model: command.answer.model,
    stopReason: command.answer.stopReason,
    blocks: [...command.answer.blocks],
    calls: calls.map(({ id, providerId }) => ({ id, providerId })),
  };
}

function spoken(answer: ModelAnswer, stamp: Stamp, now: Instant): readonly Entry[] {
  const thought = answer.blocks.some((block) => block.type === 'thinking' || block.type === 'redacted_thinking');
  const content = answer.blocks.flatMap((block) =>
    block.type === 'text' && typeof block['text'] === 'string' && block['text'].trim() !== ''
      ? [{ type: 'text' as const, text: block['text'] }]
      : [],
  );
  return [
    ...(thought ? [event({ id: stamp.eventId(), type: 'agent.thinking', processed_at: now })] : []),
    ...(content.length > 0 ? [event({ id: stamp.eventId(), type: 'agent.message', processed_at: now, content })] : []),
  ];
}

function toolCalls(command: Answer, stamp: Stamp): readonly ToolCall[] {
  return command.answer.blocks
    .filter((block) => block.type === 'tool_use')
    .map((block) => toolCall(block, command, stamp));
}

function toolCall(block: ContentBlock, command: Answer, stamp: Stamp): ToolCall {
  const name = String(block['name']);
  const complete = isRecord(block['input']);
  return {
    id: stamp.eventId(),
    providerId: String(block['id']),
    name,
    input: isRecord(block['input']) ? block['input'] : {},
    denial: denialOf(name, complete, command),
  };
}

function denialOf(name: string, complete: boolean, command: Answer): string | null {
  if (!command.offered.has(name)) return `There is no tool named ${name} in this session.`;
  if (!complete || command.answer.stopReason === 'max_tokens') {
    return 'The answer reached its token limit before this call was complete, so it was not executed.';
  }
  return null;
}

function toolUse(call: ToolCall, now: Instant): Entry {
  return event({
    id: call.id,
    type: 'agent.tool_use',
    processed_at: now,
    name: call.name,
    input: call.input,
    evaluated_permission: call.denial === null ? 'allow' : 'deny',
    ...(call.denial === null ? { evaluation: { type: 'always_allow' as const } } : {}),
  });
}

function denied(call: ToolCall, stamp: Stamp, now: Instant): Entry {
  return event({
    id: stamp.eventId(),
    type: 'agent.tool_result',
    processed_at: now,
    tool_use_id: call.id,
    content: [{ type: 'text', text: call.denial ?? '' }],
    is_error: true,
  });
}

function stopOf(answer: ModelAnswer): { reason: StopReason; details: StopDetails } {
  if (answer.stopReason !== 'refusal') return { reason: { type: 'end_turn' }, details: null };
  const { category, explanation } = answer.stopDetails ?? { category: null, explanation: null };
  return { reason: { type: 'refusal' }, details: { type: 'refusal', category, explanation } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
