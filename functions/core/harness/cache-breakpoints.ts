/** Up to where the provider keeps what it has read of a request: it takes four breakpoints, and each has its place. */
import type { ModelMessage, ModelRequest } from '#core/ports/model.ts';

export const CACHE_BREAKPOINT = { cache_control: { type: 'ephemeral' } } as const;

/** A breakpoint after the last tool: tools and system change least, so they are the longest stable prefix. */
export function cachedTools(tools: ModelRequest['tools']): ModelRequest['tools'] {
  return tools.map((tool, index) => (index === tools.length - 1 ? { ...tool, ...CACHE_BREAKPOINT } : tool));
}

/**
 * Breakpoints on the last block of the last two user messages: the newest writes the cache for the next request, the
 * one before reads what the previous request wrote, which the provider would not find by itself behind an answer of
 * many calls: it looks back over twenty blocks. With tools and system that makes its maximum of four.
 */
export function cachedTail(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  const users = messages.flatMap((message, index) => (message.role === 'user' ? [index] : []));
  const marked = new Set(users.slice(-2));
  return messages.map((message, index) => (marked.has(index) ? withBreakpoint(message) : message));
}

function withBreakpoint(message: ModelMessage): ModelMessage {
  const last = message.content.at(-1);
  if (last === undefined) return message;
  return { ...message, content: [...message.content.slice(0, -1), { ...last, ...CACHE_BREAKPOINT }] };
}
