/** The request for a summary of the context, and the summary in its answer. */
import type { Entry, SessionState } from '#contract/entries.ts';
import type { ContentBlock, ModelAnswer, ModelRequest } from '#core/ports/model.ts';
import { answeredIn, requestOf, withoutCitations } from '#core/harness/context.ts';
import type { Part, Said } from '#core/harness/gate.ts';
import { summarisableTokens, estimateTokens } from '#core/model/room.ts';
import { shorten } from '#core/model/shorten.ts';

const PROMPT = `This conversation has become too long for you to keep, so everything above will be replaced by a summary, \
and you will go on from that summary alone. Write it now. Do not call any tool: answer with the summary as plain text.

Write down what you need in order to continue as if nothing had been lost:
1. What the user asked for and what system messages demand, in their own words where the wording matters, with every \
constraint and preference.
2. What was done and found out: decisions and their reasons; files, commands, names, numbers and addresses exactly as \
they are; errors and what became of them.
3. Where the work stands: what is finished, what was under way a moment ago, what is still open.
4. The next step, if there is one.

Be complete about what still matters, brief about the rest, and invent nothing.`;

/** Chars that each block of the user's side may keep when the whole does not fit: halved until it does, … */
const MOST_CHARS = 200_000;
/** … or there is hardly anything left. */
const LEAST_CHARS = 100;

/**
 * The conversation as the model has answered it, so that the provider's cache of the previous request is read, and the
 * request for a summary at its end. Tools stay for the cache's sake; from the second attempt on they are forbidden
 * instead, which costs the cache.
 */
export function buildSummaryRequest(entries: readonly Entry[], state: SessionState): ModelRequest {
  const conversation = fitted(answeredIn(entries), summarisableTokens(state.model) / state.contextTokens);
  const prompt: Said = { role: 'user', parts: [{ block: { type: 'text', text: PROMPT }, from: null }] };
  const request = requestOf(entries, [...conversation, prompt]);
  if (state.failures === 0 || request.tools.length === 0) return request;
  return { ...request, extra: { ...request.extra, tool_choice: { type: 'none' } } };
}

/** The summary in an answer; null when the model refused, said nothing, or went on working: its words are none then. */
export function summaryIn({ stopReason, blocks }: ModelAnswer): string | null {
  const isUnfinished = stopReason === 'pause_turn' || blocks.some((block) => block.type === 'tool_use');
  if (stopReason === 'refusal' || isUnfinished) return null;
  const text = blocks.flatMap((block) => (block.type === 'text' ? [String(block['text'] ?? '')] : [])).join('\n\n');
  // Stored text goes back to the provider, which refuses half a surrogate pair.
  return text.trim() === '' ? null : text.trim().toWellFormed();
}

/** The share of the conversation that fits; the provider counted the whole, so that only the ratio is an estimate. */
function fitted(said: readonly Said[], share: number): readonly Said[] {
  if (share >= 1) return said;
  const most = sizeOf(said) * share;
  for (let chars = Math.floor(MOST_CHARS * share); ; chars = Math.floor(chars / 2)) {
    const shorter = capped(said, chars);
    if (chars <= LEAST_CHARS || sizeOf(shorter) <= most) return shorter;
  }
}

/** Shortens only the user's side: the model's own text is bounded by its output limit, and its thoughts are signed. */
function capped(said: readonly Said[], keepChars: number): readonly Said[] {
  const shorter = (role: Said['role'], block: ContentBlock) =>
    role === 'assistant' ? withoutServed(block) : shorten([block], keepChars);
  return said.map(({ role, parts }) => ({
    role,
    parts: parts.flatMap(({ block, from }): readonly Part[] =>
      shorter(role, block).map((one) => ({ block: one, from })),
    ),
  }));
}

/**
 * What the provider's own tools brought is among the model's words, encrypted, and cannot be shortened. It goes as a
 * whole: a call is nothing without its result, and a citation nothing without its source.
 */
function withoutServed(block: ContentBlock): readonly ContentBlock[] {
  switch (block.type) {
    case 'server_tool_use':
      return [];
    case 'web_search_tool_result':
    case 'web_fetch_tool_result':
      return [SERVED_NOTE];
    case 'text':
      return [withoutCitations(block)];
    default:
      return [block];
  }
}

const SERVED_NOTE = { type: 'text', text: '[What the web brought here was left out to save room.]' } as const;

function sizeOf(said: readonly Said[]): number {
  return said.reduce((tokens, { parts }) => tokens + estimateTokens(parts.map(({ block }) => block)), 0);
}
