/**
 * How much of a model's window content will take, before the provider has counted it. Rather too much than too little:
 * the next answer's usage puts it right.
 */
import type { ContentBlock } from '#core/ports/model.ts';

/** English prose has about four, source code and JSON about three. */
const CHARS_PER_TOKEN = 3;

/** The provider scales an image down until it takes no more than about this. */
const IMAGE_TOKENS = 1600;

/** A page of a PDF takes about 3,000 tokens, and a file of a usual density 60 KB of base64. */
const PDF_CHARS_PER_TOKEN = 20;

/** Nobody knows the size of what the provider fetches itself. */
const FETCHED_DOCUMENT_TOKENS = 10_000;

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
  const { type, data } = Object(source);
  const chars = typeof data === 'string' ? data.length : 0;
  if (type === 'url') return FETCHED_DOCUMENT_TOKENS;
  return Math.ceil(chars / (type === 'text' ? CHARS_PER_TOKEN : PDF_CHARS_PER_TOKEN));
}
