/** From an HTTP answer to the content that the model is shown. */
import type { Content } from '#contract/content.ts';
import { isEncrypted, mediaTypeOf, sizeOf, type MediaType } from '#core/model/media.ts';
import type { OutboundAnswer, ReadPage } from '#core/ports/outbound.ts';

/** The provider's own names for what can go wrong with a fetch: models know them. */
export type WebFetchError =
  | 'invalid_tool_input'
  | 'url_not_allowed'
  | 'url_not_accessible'
  | 'too_many_requests'
  | 'unsupported_content_type'
  | 'content_too_large';

export type WebContent =
  | { readonly status: 'fetched'; readonly content: Content }
  | { readonly status: 'failed'; readonly error: WebFetchError; readonly message: string };

interface Showing {
  readonly readPage: ReadPage;
  readonly maxChars: number;
}

/** In base64 below the 5 MB of one event, which the API carries in one response, and of one image at the provider. */
export const MAX_MEDIA_BYTES = 3_500_000;
/** The provider refuses larger images. */
const MAX_PIXELS = 8000;

const HTML = /^(?:text\/html|application\/xhtml\+xml)$/;
const TEXT =
  /^(?:text\/.+|.+\+(?:json|xml|yaml)|application\/(?:json|x-ndjson|jsonl|xml|javascript|x-javascript|yaml|x-yaml|toml|sql|x-sh))$/;
/** What servers say of files they know nothing about. */
const UNKNOWN = /^(?:|application\/octet-stream|binary\/octet-stream)$/;
const LOOKS_LIKE_HTML = /^\s*<(?:!doctype html|html)/i;

/** Bytes in which a page declares its encoding, and in which a text shows that it is none. */
const HEAD_BYTES = 4096;

export function showContent(answer: OutboundAnswer, showing: Showing): WebContent {
  const media = showMedia(answer.body);
  if (media !== null) return media;
  const header = answer.headers['content-type'] ?? '';
  const claimed = claimedIn(header);
  if (!isTextual(header, answer.body)) {
    const named = /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(claimed) ? claimed : 'binary content';
    return failed('unsupported_content_type', `${named} cannot be shown; text, HTML, PDF, JPEG, PNG, GIF and WebP can`);
  }
  const text = decode(answer.body, header);
  const isHtml = HTML.test(claimed) || (UNKNOWN.test(claimed) && LOOKS_LIKE_HTML.test(text));
  return showText(isHtml ? pageText(text, answer.url, showing.readPage) : text, showing.maxChars);
}

/** Null for bytes that are neither an image nor a PDF. */
export function showMedia(body: Uint8Array): WebContent | null {
  const type = mediaTypeOf(body);
  if (type === 'application/pdf') return showDocument(body);
  return type === null ? null : showImage(body, type);
}

/** Whether the bytes can be a text of the type that they are said to be, or of none. */
export function isTextual(contentType: string, body: Uint8Array): boolean {
  const claimed = claimedIn(contentType);
  return HTML.test(claimed) || TEXT.test(claimed) || (UNKNOWN.test(claimed) && !hasZero(body));
}

function claimedIn(contentType: string): string {
  return contentType.split(';')[0]?.trim().toLowerCase() ?? '';
}

function pageText(html: string, url: string, readPage: ReadPage): string {
  const { title, text } = readPage(html, url);
  return title === '' ? text : `Title: ${title}\n\n${text}`;
}

function showText(text: string, maxChars: number): WebContent {
  const whole = text.toWellFormed();
  if (whole.trim() === '') return fetched([{ type: 'text', text: '(nothing to read there)' }]);
  if (whole.length <= maxChars) return fetched([{ type: 'text', text: whole }]);
  // Between two halves of one character, the half would be refused by the provider.
  const kept = whole.slice(0, maxChars).replace(/[\ud800-\udbff]$/, '');
  return fetched([{ type: 'text', text: `${kept}\n\n(cut: the first ${kept.length} of ${whole.length} characters)` }]);
}

function showDocument(body: Uint8Array): WebContent {
  if (body.length > MAX_MEDIA_BYTES) return tooLarge('a PDF', body);
  if (isEncrypted(body)) return failed('unsupported_content_type', 'the PDF is encrypted');
  return fetched([{ type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: base64(body) } }]);
}

function showImage(body: Uint8Array, type: Exclude<MediaType, 'application/pdf'>): WebContent {
  if (body.length > MAX_MEDIA_BYTES) return tooLarge('an image', body);
  const size = sizeOf(body, type);
  if (size === null || size.width === 0 || size.height === 0) {
    return failed('unsupported_content_type', 'the image is damaged');
  }
  if (Math.max(size.width, size.height) > MAX_PIXELS) {
    return failed('content_too_large', `an image of ${size.width}×${size.height} pixels; at most ${MAX_PIXELS} a side`);
  }
  return fetched([{ type: 'image', source: { type: 'base64', media_type: type, data: base64(body) } }]);
}

/** By the byte order mark, else as the server says, else as the page says itself, else UTF-8. */
function decode(body: Uint8Array, header: string): string {
  const head = new TextDecoder('latin1').decode(body.subarray(0, HEAD_BYTES));
  const marked = /^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)/.exec(head)?.[0];
  if (marked !== undefined)
    return decodeAs(body, { '\xff\xfe': 'utf-16le', '\xfe\xff': 'utf-16be' }[marked] ?? 'utf-8');
  const said = /charset\s*=\s*["']?([\w-]+)/i.exec(header) ?? /<meta[^<>]+charset\s*=\s*["']?([\w-]+)/i.exec(head);
  return decodeAs(body, said?.[1] ?? 'utf-8');
}

function decodeAs(body: Uint8Array, encoding: string): string {
  try {
    return new TextDecoder(encoding).decode(body);
  } catch {
    // The encoding's name is unknown; most of the web is UTF-8.
    return new TextDecoder().decode(body);
  }
}

function hasZero(body: Uint8Array): boolean {
  return body.subarray(0, HEAD_BYTES).includes(0);
}

function base64(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64');
}

function tooLarge(what: string, { length }: Uint8Array): WebContent {
  return failed('content_too_large', `${what} of ${length} bytes; at most ${MAX_MEDIA_BYTES} can be shown`);
}

function fetched(content: Content): WebContent {
  return { status: 'fetched', content };
}

function failed(error: WebFetchError, message: string): WebContent {
  return { status: 'failed', error, message };
}
