/** When a model's window is full, and how much of it content takes before the provider has counted it. */
import type { SessionState } from '#contract/entries.ts';
import type { ModelUsage } from '#contract/usage.ts';
import { habitsOf } from '#core/model/habits.ts';
import type { ContentBlock } from '#core/ports/model.ts';

/** English prose has about four, source code and JSON about three. */
const CHARS_PER_TOKEN = 3;

/** The provider scales an image down until it takes no more than about this. */
const IMAGE_TOKENS = 1600;

/** A page of a PDF takes about 3,000 tokens, and a file of a usual density 60 KB of base64. */
const PDF_CHARS_PER_TOKEN = 20;

/** The size of what the provider itself fetches is not known before. */
const FETCHED_DOCUMENT_TOKENS = 10_000;

/** The provider's word for an answer that it ended because the window was full. */
export const WINDOW_EXCEEDED = 'model_context_window_exceeded';

/** Compactions in a row that may leave no room: a further one would not either. */
export const MAX_COMPACTIONS = 3;

/** Of the window; what the last answer's calls bring back comes on top, and is known only by an estimate. */
const FULL_SHARE = 0.8;

/** The request for a summary, and the summary. */
const SUMMARY_TOKENS = 20_000;

/** From this size on a context is summarised before the model is asked again: an answer and a summary still fit. */
export function fullTokens(model: string): number {
  const { windowTokens, maxTokens } = habitsOf(model);
  return Math.min(windowTokens * FULL_SHARE, windowTokens - maxTokens - SUMMARY_TOKENS);
}

/** The most that a request for a summary may hold. */
export function summarisableTokens(model: string): number {
  const { windowTokens, maxTokens } = habitsOf(model);
  return windowTokens - maxTokens;
}

/**
 * Whether room has to be made before the model is asked. What it has not answered yet cannot be summarised, so it counts
 * for no more than half: a large message must not cause one compaction after the other.
 */
export function isFull({ model, contextTokens, taken, queued }: SessionState): boolean {
  const full = fullTokens(model);
  const unanswered = queued.reduce((tokens, message) => tokens + message.tokens, taken?.tokens ?? 0);
  return contextTokens > 0 && contextTokens + Math.min(unanswered, full / 2) >= full;
}

/** Whether a compaction can make a request smaller: not of unanswered messages, and not right after another one. */
export function canMakeRoom({ contextTokens, compactions }: SessionState): boolean {
  return contextTokens > 0 && compactions === 0;
}

/** The context that an answer ends, as the provider counted it. */
export function usedTokens(usage: ModelUsage): number {
  return usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens + usage.output_tokens;
}

/** The assumed size of a context that the provider says is too large. */
export function exceededTokens({ model, contextTokens }: Pick<SessionState, 'model' | 'contextTokens'>): number {
  return Math.max(habitsOf(model).windowTokens, contextTokens * 2);
}

/** Rather too much than too little: the usage of the next answer puts it right. */
export function estimateTokens(blocks: readonly ContentBlock[]): number {
  return blocks.reduce((sum, block) => sum + tokensOfBlock(block), 0);
}

export function tokensOfText(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

function tokensOfBlock(block: ContentBlock): number {
  switch (block.type) {
    case 'text':
      return tokensOfText(String(block['text'] ?? ''));
    case 'image':
      return IMAGE_TOKENS;
    case 'document':
      return tokensOfDocument(block['source']);
    case 'tool_result':
      return Array.isArray(block['content']) ? estimateTokens(block['content']) : 0;
    default:
      return tokensOfText(JSON.stringify(block));
  }
}

function tokensOfDocument(source: unknown): number {
  const { type, data, chars = typeof data === 'string' ? data.length : 0 } = Object(source);
  if (type === 'url') return FETCHED_DOCUMENT_TOKENS;
  return Math.ceil(chars / (type === 'text' ? CHARS_PER_TOKEN : PDF_CHARS_PER_TOKEN));
}
