/** Content that a model request holds in part: its head and tail, and how much is left out between them. */
import type { ContentBlock } from '#core/model.ts';

/** The head is what tells the most; the tail is where commands report how they ended. */
const HEAD_SHARE = 0.75;

/** Blocks of which about `keepChars` stay; attachments become a note, and what is not twice as long stays whole. */
export function shorten(blocks: readonly ContentBlock[], keepChars: number): readonly ContentBlock[] {
  return blocks.map((block) => shortenBlock(block, keepChars));
}

/** Of a result: more is in the event, for people, and the context has other uses for the room (contract §4.1). */
const MAX_RESULT_CHARS = 100_000;

/** A result as the model sees it: the texts of one that is too long keep their share each, and all else stays. */
export function shownToModel(result: readonly ContentBlock[]): readonly ContentBlock[] {
  const chars = result.reduce((sum, block) => sum + textIn(block).length, 0);
  if (chars <= MAX_RESULT_CHARS) return result;
  const share = (text: string) => headAndTail(text, Math.floor((text.length * MAX_RESULT_CHARS) / chars));
  return result.map((block) => withText(block, share));
}

function textIn(block: ContentBlock): string {
  if (block.type === 'text') return String(block['text'] ?? '');
  const { type, data } = Object(block['source']);
  return block.type === 'document' && type === 'text' ? String(data) : '';
}

function withText(block: ContentBlock, change: (text: string) => string): ContentBlock {
  const text = textIn(block);
  if (text === '') return block;
  if (block.type === 'text') return { ...block, text: change(text) };
  return { ...block, source: { ...Object(block['source']), data: change(text) } };
}

function shortenBlock(block: ContentBlock, keepChars: number): ContentBlock {
  switch (block.type) {
    case 'text':
      return { ...block, text: shortenText(String(block['text'] ?? ''), keepChars) };
    case 'image':
      return note('An image was here.');
    case 'document':
      return shortenDocument(block, keepChars);
    case 'search_result':
    case 'tool_result':
      return Array.isArray(block['content']) ? { ...block, content: shorten(block['content'], keepChars) } : block;
    default:
      return block;
  }
}

function shortenDocument(block: ContentBlock, keepChars: number): ContentBlock {
  const { type, data } = Object(block['source']);
  if (type === 'text') return { ...block, source: { ...Object(block['source']), data: shortenText(data, keepChars) } };
  const title = typeof block['title'] === 'string' ? `: ${block['title']}` : '';
  return note(`A document was here${title}.`);
}

function shortenText(text: string, keepChars: number): string {
  return text.length <= 2 * keepChars ? text : headAndTail(text, keepChars);
}

function headAndTail(text: string, keepChars: number): string {
  const headChars = Math.ceil(keepChars * HEAD_SHARE);
  // A cut may halve a surrogate pair, and the provider refuses such text.
  const head = text.slice(0, headChars).toWellFormed();
  const tail = text.slice(text.length - (keepChars - headChars)).toWellFormed();
  return `${head}\n[… ${text.length - keepChars} characters left out …]\n${tail}`;
}

function note(text: string): ContentBlock {
  return { type: 'text', text: `[${text} It was left out to save room.]` };
}
