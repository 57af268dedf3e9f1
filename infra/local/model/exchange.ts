/** The part of a conversation that a script answers: what the user asked last, and what the tools have said since. */
import type { ContentBlockParam, MessageParam, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages';

export interface Exchange {
  readonly text: string;
  /** True when the user had asked nothing before. */
  readonly isFirst: boolean;
  readonly outcomes: readonly ToolOutcome[];
}

export interface ToolOutcome {
  readonly output: string;
  readonly isError: boolean;
}

export function readExchange(messages: readonly MessageParam[]): Exchange {
  const at = messages.findLastIndex(isAsk);
  const ask = messages[at];
  return {
    text: ask === undefined ? '' : textOf(ask.content),
    isFirst: !messages.slice(0, Math.max(at, 0)).some(isAsk),
    outcomes: messages.slice(at + 1).flatMap(outcomesOf),
  };
}

/** A user message that only carries tool results asks nothing. */
function isAsk(message: MessageParam): boolean {
  return message.role === 'user' && textOf(message.content) !== '';
}

function textOf(content: string | readonly ContentBlockParam[]): string {
  if (typeof content === 'string') return content;
  return content.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n');
}

function outcomesOf({ content }: MessageParam): readonly ToolOutcome[] {
  if (typeof content === 'string') return [];
  return content.flatMap((block) => (block.type === 'tool_result' ? [outcomeOf(block)] : []));
}

function outcomeOf({ content, is_error: isError }: ToolResultBlockParam): ToolOutcome {
  const blocks = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? []);
  const output = blocks.map((block) => (block.type === 'text' ? block.text : `(${block.type})`)).join('\n');
  return { output, isError: isError === true };
}
