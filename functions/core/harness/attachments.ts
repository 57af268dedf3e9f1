/** What the provider takes of images, documents and search results, and which of them make room for newer ones. */
import { isBlank } from '#contract/content.ts';
import { mediaTypeOf, sizeOf } from '#core/hands/media.ts';
import { isBedrockId } from '#core/model/habits.ts';
import type { ContentBlock } from '#core/ports/model.ts';

/** Of one image, in base64. */
const MAX_IMAGE_CHARS = 5 * 1024 * 1024;
const MAX_SIDE_PX = 8000;

export function acceptableImage(block: ContentBlock): ContentBlock {
  const data = dataOf(block);
  if (data === null) return block;
  if (data.length > MAX_IMAGE_CHARS) return note('an image of more than 5 MB, which the model’s provider refuses');
  const type = mediaTypeOf(headOf(data));
  // The provider says what is wrong with an image that cannot be read here.
  if (type === null || type === 'application/pdf') return block;
  const px = longestSidePx(data, type);
  if (px !== null && px > MAX_SIDE_PX) {
    return note(`an image of ${px} pixels a side; the model’s provider takes ${MAX_SIDE_PX}`);
  }
  return { ...block, source: { ...Object(block['source']), media_type: type } };
}

/** The base64 of an attachment; null for one that the provider fetches by itself, and for a text. */
function dataOf({ source }: ContentBlock): string | null {
  const { type, data } = Object(source);
  return type === 'base64' && typeof data === 'string' ? data : null;
}

/** A multiple of four. The size of nearly every image is told within it. */
const HEAD_CHARS = 40_000;

function headOf(data: string): Buffer {
  return Buffer.from(data.slice(0, HEAD_CHARS), 'base64');
}

type ImageType = Parameters<typeof sizeOf>[1];

function longestSidePx(data: string, type: ImageType): number | null {
  const size =
    sizeOf(headOf(data), type) ?? (data.length > HEAD_CHARS ? sizeOf(Buffer.from(data, 'base64'), type) : null);
  return size === null ? null : Math.max(size.width, size.height);
}

export function acceptableDocument(block: ContentBlock): ContentBlock {
  const { type, data } = Object(block['source']);
  if (type === 'text' && isBlank(data)) return note('a document without text');
  const blank = ['title', 'context'].filter((field) => field in block && isBlank(block[field]));
  return blank.length === 0
    ? block
    : (Object.fromEntries(Object.entries(block).filter(([key]) => !blank.includes(key))) as ContentBlock);
}

export function acceptableSearchResult(block: ContentBlock): ContentBlock {
  const { source, title, content } = block;
  const texts = Array.isArray(content) ? content.filter((part) => !isBlank(part.text)) : [];
  if (texts.length > 0 && !isBlank(source) && !isBlank(title)) return { ...block, content: texts };
  return text(
    ['Search result:', title, source, ...texts.map(({ text }) => text)].filter((part) => !isBlank(part)).join('\n'),
  );
}

/** Of all attachments: the provider takes 32 MB in one request, and texts need room beside them. */
const MAX_ATTACHED_CHARS = 24_000_000;
/** Bedrock takes 20 MB. */
const MAX_BEDROCK_CHARS = 14_000_000;
const MAX_IMAGES = 100;
/** More images than this must all be smaller than `MAX_SIDE_AMONG_MANY_PX`. */
const MANY_IMAGES = 20;
const MAX_SIDE_AMONG_MANY_PX = 2000;
/** So many of the oldest give way at once: each time costs the provider's cache of everything after them. */
const STEP_ATTACHMENTS = 5;

interface Attachment {
  readonly chars: number;
  readonly isImage: boolean;
  readonly isLarge: boolean;
}

/** How many of the attachments, oldest first, give way to the newest ones in a request to this model. */
export function givingWay(blocks: readonly ContentBlock[], model: string): number {
  const maxChars = isBedrockId(model) ? MAX_BEDROCK_CHARS : MAX_ATTACHED_CHARS;
  let kept: readonly Attachment[] = [];
  for (const attachment of blocks.map(attachmentOf)) {
    kept = [...kept, attachment];
    while (exceeds(kept, maxChars)) kept = kept.slice(kept.length > STEP_ATTACHMENTS ? STEP_ATTACHMENTS : 1);
  }
  return blocks.length - kept.length;
}

export function gaveWayNote(block: ContentBlock): ContentBlock {
  return note(`${nameOf(block)}, which made room for newer ones`);
}

function exceeds(attachments: readonly Attachment[], maxChars: number): boolean {
  const images = attachments.filter(({ isImage }) => isImage);
  const isCrowded = images.length > MANY_IMAGES && images.some(({ isLarge }) => isLarge);
  return images.length > MAX_IMAGES || isCrowded || attachments.reduce((sum, { chars }) => sum + chars, 0) > maxChars;
}

function attachmentOf(block: ContentBlock): Attachment {
  const data = dataOf(block);
  const isImage = block.type === 'image';
  const type = isImage && data !== null ? mediaTypeOf(headOf(data)) : null;
  const px = data === null || type === null || type === 'application/pdf' ? null : longestSidePx(data, type);
  return { chars: data?.length ?? 0, isImage, isLarge: px !== null && px > MAX_SIDE_AMONG_MANY_PX };
}

export function nameOf({ type }: ContentBlock): string {
  return type === 'image' ? 'an image' : `a ${type.replaceAll('_', ' ')}`;
}

/** What stands in the place of a block: the model has to know that there was something. */
function note(what: string): ContentBlock {
  return text(`[Here was ${what}.]`);
}

function text(said: string): ContentBlock {
  return { type: 'text', text: said };
}
