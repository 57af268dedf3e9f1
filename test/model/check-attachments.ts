/** The rules for images, documents and search results, each alone and all of a request together. */
import { isEncrypted, mediaTypeOf, sizeOf } from '#core/model/media.ts';
import { isFields, listOf, type Fields } from './fields.ts';

const IMAGE_TYPES: ReadonlySet<unknown> = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp']);
const MAX_IMAGE_CHARS = 5 * 1024 * 1024;
const MAX_IMAGES = 100;
const MANY_IMAGES = 20;
const MAX_SIDE_PX = 8000;
const MAX_SIDE_AMONG_MANY_PX = 2000;

function isBase64(data: string): boolean {
  return data.length % 4 === 0 && !/[^A-Za-z0-9+/=]/.test(data);
}

export function brokenImage({ source }: Fields): string | null {
  if (!isFields(source)) return 'image.source: Field required';
  if (source.type === 'url') return brokenUrl('image', source);
  if (source.type !== 'base64') return 'image.source.type: must be base64 or url';
  if (!IMAGE_TYPES.has(source.media_type)) return 'image.source.base64.media_type: is not one of the image types';
  const data = String(source.data ?? '');
  if (data === '' || !isBase64(data)) return 'image.source.base64.data: must be base64';
  if (data.length > MAX_IMAGE_CHARS) return 'image.source.base64: image exceeds 5 MB maximum';
  const side = sideOf(source);
  if (side === null) return 'image.source.base64.data: Could not process image';
  if (mediaTypeOf(Buffer.from(data, 'base64')) !== source.media_type) {
    return `image.source.base64: the image was specified using the ${String(source.media_type)} media type, but is another`;
  }
  if (side > MAX_SIDE_PX)
    return `image.source.base64.data: image dimensions exceed max allowed size: ${MAX_SIDE_PX} pixels`;
  return null;
}

/** The longer side in pixels; null for what is no image. */
function sideOf({ data }: Fields): number | null {
  const bytes = Buffer.from(String(data), 'base64');
  const type = mediaTypeOf(bytes);
  const size = type === null || type === 'application/pdf' ? null : sizeOf(bytes, type);
  return size === null || size.width === 0 || size.height === 0 ? null : Math.max(size.width, size.height);
}

function brokenUrl(kind: string, { url }: Fields): string | null {
  const { protocol } = URL.parse(String(url)) ?? {};
  return protocol === 'https:' || protocol === 'http:' ? null : `${kind}.source.url.url: must be a URL`;
}

export function brokenDocument({ source, title, context }: Fields): string | null {
  if (!isFields(source)) return 'document.source: Field required';
  for (const [field, value] of Object.entries({ title, context })) {
    if (value === undefined || value === null) continue;
    if (typeof value !== 'string' || value.trim() === '') return `document.${field}: must be non-empty`;
  }
  if (source.type === 'url') return brokenUrl('document', source);
  if (source.type === 'text') {
    if (source.media_type !== 'text/plain') return 'document.source.text.media_type: must be text/plain';
    return String(source.data ?? '').trim() === '' ? 'document.source.text.data: must be non-empty' : null;
  }
  if (source.type !== 'base64') return 'document.source.type: must be base64, text or url';
  if (source.media_type !== 'application/pdf') return 'document.source.base64.media_type: must be application/pdf';
  const data = String(source.data ?? '');
  if (!isBase64(data)) return 'document.source.base64.data: must be base64';
  const bytes = Buffer.from(data, 'base64');
  if (mediaTypeOf(bytes) !== 'application/pdf') return 'document.source.base64.data: The PDF specified was not valid';
  return isEncrypted(bytes) ? 'document.source.base64.data: The PDF specified is password protected' : null;
}

export function brokenSearchResult({ source, title, content }: Fields): string | null {
  for (const [field, value] of Object.entries({ source, title })) {
    if (typeof value !== 'string' || value.trim() === '') return `search_result.${field}: must be non-empty`;
  }
  const texts = listOf(content);
  const isSaid = (block: unknown) => isFields(block) && typeof block.text === 'string' && block.text.trim() !== '';
  return texts.length > 0 && texts.every(isSaid) ? null : 'search_result.content: must be non-empty text blocks';
}

/** Of all messages: how many images there are, and how large they are then. */
export function brokenImages(messages: readonly unknown[]): string | null {
  const images = blocksOf(messages).filter(({ type }) => type === 'image');
  if (images.length > MAX_IMAGES) return `messages: at most ${MAX_IMAGES} images are allowed, found ${images.length}`;
  if (images.length <= MANY_IMAGES) return null;
  const isTooLarge = ({ source }: Fields) =>
    isFields(source) && source.type === 'base64' && (sideOf(source) ?? 0) > MAX_SIDE_AMONG_MANY_PX;
  if (!images.some(isTooLarge)) return null;
  return `messages: image dimensions exceed max allowed size for many-image requests: ${MAX_SIDE_AMONG_MANY_PX} pixels`;
}

export function brokenSearchResults(messages: readonly unknown[]): string | null {
  const results = blocksOf(messages).filter(({ type }) => type === 'search_result');
  const settings = new Set(results.map(({ citations }) => isFields(citations) && citations.enabled === true));
  return settings.size <= 1 ? null : 'messages: citations must be enabled for all search results or for none';
}

/** Blocks of messages and of the results in them. */
function blocksOf(messages: readonly unknown[]): readonly Fields[] {
  const blocks = messages.flatMap((message) => (isFields(message) ? listOf(message.content) : [])).filter(isFields);
  return blocks.flatMap((block) => (block.type === 'tool_result' ? listOf(block.content).filter(isFields) : [block]));
}
