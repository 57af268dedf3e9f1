/** Content that a model request holds in part: its head and tail, and how much is left out between them. */
import type { ContentBlock } from '#core/ports/model.ts';

/** The head is what tells the most; the tail is where commands report how they ended. */
const HEAD_SHARE = 0.75;

/** Blocks of which about `keepChars` stay; attachments become a note, and what is not twice as long stays whole. */
export function shorten(blocks: readonly ContentBlock[], keepChars: number): readonly ContentBlock[] {
  return blocks.map((block) => shortenBlock(block, keepChars));
}

/** Of a result: more is in the event, for people, and the context has other uses for the room. */
const MAX_RESULT_CHARS = 100_000;

/** Whether the model is shown a part of the result only. */
export function isLarge(result: readonly ContentBlock[]): boolean {
  return charsIn(result) > MAX_RESULT_CHARS;
}

/** The texts of a result as one, which is what the file of a large one holds. */
export function wholeText(result: readonly ContentBlock[]): string {
  return result
    .map(textIn)
    .filter((text) => text !== '')
    .join('\n');
}

/**
 * A result as the model sees it: the texts of one that is too long keep their share each, and all else stays. `file` is
 * where the model can read the whole of it; null where it has nothing to read it with.
 */
export function shownToModel(result: readonly ContentBlock[], file: string | null = null): readonly ContentBlock[] {
  if (!isLarge(result)) return result;
  const chars = charsIn(result);
  const share = (text: string) => headAndTail(text, Math.floor((text.length * MAX_RESULT_CHARS) / chars));
  return [largeNote(chars, file), ...result.map((block) => withText(block, share))];
}

/** A block of its own, so that it outlasts every later shortening of the texts. */
function largeNote(chars: number, file: string | null): ContentBlock {
  const where = file === null ? '' : ` The whole text is in the file ${file}.`;
  const text = `[This result has ${chars} characters, too many to be shown: what follows is its head and its tail.${where}]`;
  return { type: 'text', text };
}

function charsIn(result: readonly ContentBlock[]): number {
  return result.reduce((sum, block) => sum + textIn(block).length, 0);
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
