/** Messages as the provider takes them: of one role there is one at a time, and no call is left behind. */
import type { ContentBlock, ModelMessage } from '#core/ports/model.ts';

/** Consecutive messages of one role become one: queued messages are answered as one coherent turn. */
export function mergeMessages(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  const joined = joinRoles(messages);
  const kept = joined.flatMap((message, index) => (index < joined.length - 1 ? withoutAbandoned(message) : message));
  return kept.length === joined.length ? kept : joinRoles(kept);
}

function joinRoles(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  const result: { role: ModelMessage['role']; content: ContentBlock[] }[] = [];
  for (const message of messages) {
    const last = result.at(-1);
    const before = result.at(-2);
    // An answer of nothing leaves no message between these; the provider takes the user's first, as in one request.
    const isLate = message.role === 'user' && last?.role === 'system' && before?.role === 'user';
    const same = isLate ? before : last;
    if (same?.role === message.role) same.content.push(...message.content);
    else result.push({ role: message.role, content: [...message.content] });
  }
  return result;
}

/**
 * A paused answer may end with calls of the provider's own tools that have no result yet: it makes them when the answer
 * is the last message, or beside a call of ours, and refuses them when somebody speaks in between.
 */
function withoutAbandoned(message: ModelMessage): readonly ModelMessage[] {
  const calls = new Set(message.content.map(({ type }) => type));
  if (message.role !== 'assistant' || !calls.has('server_tool_use') || calls.has('tool_use')) return [message];
  const answered = new Set(message.content.map((block) => block['tool_use_id']));
  const content = message.content.filter(({ type, id }) => type !== 'server_tool_use' || answered.has(id));
  return content.every(isThought) ? [] : [{ ...message, content }];
}

export function isThought(block: ContentBlock): boolean {
  return block.type === 'thinking' || block.type === 'redacted_thinking';
}
