/** What the provider takes of images, documents and search results, and which of them make room for newer ones. */
import { isBlank } from '#contract/content.ts';
import type { HeldFile } from '#contract/entries.ts';
import { mediaTypeOf, sizeOf } from '#core/model/media.ts';
import {
  MANY_IMAGES,
  MAX_IMAGE_CHARS,
  MAX_IMAGES,
  MAX_SIDE_AMONG_MANY_PX,
  MAX_SIDE_PX,
  maxAttachedChars,
} from '#core/model/attachment-limits.ts';
import type { ContentBlock } from '#core/ports/model.ts';

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

/** The file of an attachment whose bytes are put into the request last; null for any other. */
export function heldIn({ source }: ContentBlock): HeldBlob | null {
  return Object(source).type === 'blob' ? (source as HeldBlob) : null;
}

type HeldBlob = Extract<HeldFile, { type: 'blob' }>;

/** The base64 of an attachment; null for one that the provider fetches by itself, for a file, and for a text. */
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

/** So many of the oldest give way at once: each time costs the provider's cache of everything after them. */
const STEP_ATTACHMENTS = 5;

interface Attachment {
  readonly chars: number;
  readonly isImage: boolean;
  readonly isLarge: boolean;
}

/** How many of the attachments, oldest first, give way to the newest ones in a request to this model. */
export function givingWay(blocks: readonly ContentBlock[], model: string): number {
  const maxChars = maxAttachedChars(model);
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
  const isImage = block.type === 'image';
  const held = heldIn(block);
  if (held !== null) return { chars: held.chars, isImage, isLarge: (held.side ?? 0) > MAX_SIDE_AMONG_MANY_PX };
  const data = dataOf(block);
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
