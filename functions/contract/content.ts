/** Content blocks of events. */
import * as z from 'zod';
import { FileId } from './ids.ts';

/** The model's provider refuses every request with half a surrogate pair in it. */
export const MALFORMED = 'must be well-formed Unicode';

export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

export function isBlank(value: unknown): boolean {
  return typeof value !== 'string' || value.trim() === '';
}

/** JSON may be nested deeper than the stack, and than the provider's parser takes. */
const MAX_DEPTH = 100;

/** The value with every text in it well formed, and without what is nested too deep; the same value where nothing is wrong. */
export function wellFormedWithin(value: unknown): unknown {
  return isWhole(value, 0) ? value : mended(value, 0);
}

/** Makes no objects, because nearly every value of a long conversation is whole. */
function isWhole(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  if (depth === MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((item) => isWhole(item, depth + 1));
  return Object.keys(value).every((key) => key.isWellFormed() && isWhole(Reflect.get(value, key), depth + 1));
}

function mended(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (typeof value !== 'object' || value === null) return value;
  if (depth === MAX_DEPTH) return '[deeper levels were left out]';
  if (Array.isArray(value)) return value.map((item) => mended(item, depth + 1));
  const fields = Object.entries(value).map(([key, field]) => [key.toWellFormed(), mended(field, depth + 1)]);
  return Object.fromEntries(fields);
}

export const wellFormed = (maxChars: number) => z.string().max(maxChars).refine(isWellFormed, MALFORMED);

/** Below the 6 MB that one synchronous Lambda invocation carries, with room for the JSON around it. */
export const MAX_BODY_BYTES = 5_000_000;
const MAX_TEXT_CHARS = 4_000_000;

export const TextBlock = z
  .object({ type: z.literal('text'), text: z.string().max(MAX_TEXT_CHARS) })
  .meta({ id: 'TextBlock' });
export type TextBlock = z.infer<typeof TextBlock>;

/** The texts of a message as one. */
export function wholeTextOf(content: readonly TextBlock[]): string {
  return content.map((block) => block.text).join('\n\n');
}

const WellFormedText = wellFormed(MAX_TEXT_CHARS);

/** The provider refuses a block of whitespace alone, too. */
const SaidText = WellFormedText.refine(
  (text) => text.trim() !== '',
  'must say something: whitespace alone is refused by the model provider',
);

const base64Of = <Media extends readonly [string, ...string[]]>(media: Media) =>
  z.strictObject({ type: z.literal('base64'), media_type: z.enum(media), data: z.base64().min(1) });
const UrlSource = z.strictObject({ type: z.literal('url'), url: z.url({ protocol: /^https?$/ }) });
const PlainTextSource = z.strictObject({
  type: z.literal('text'),
  media_type: z.literal('text/plain'),
  data: SaidText,
});

const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;
/** What the file held when it was sent is kept beside the event (`HeldFile` in `entries.ts`). */
const FileSource = z.strictObject({ type: z.literal('file'), file_id: FileId });

const ImageSource = z.discriminatedUnion('type', [base64Of(IMAGE_TYPES), UrlSource, FileSource]);
const DocumentSource = z.discriminatedUnion('type', [
  base64Of(['application/pdf']),
  UrlSource,
  PlainTextSource,
  FileSource,
]);

export const ImageBlock = z.strictObject({ type: z.literal('image'), source: ImageSource }).meta({ id: 'ImageBlock' });
export const DocumentBlock = z
  .strictObject({
    type: z.literal('document'),
    source: DocumentSource,
    title: z.string().max(500).nullish(),
    context: z.string().max(10_000).nullish(),
  })
  .meta({ id: 'DocumentBlock' });

const SearchResultBlock = z
  .strictObject({
    type: z.literal('search_result'),
    source: z.string(),
    title: z.string(),
    content: z.array(z.strictObject({ type: z.literal('text'), text: WellFormedText })),
    citations: z.strictObject({ enabled: z.boolean() }),
  })
  .meta({ id: 'SearchResultBlock' });

/** A text in base64 is stored as the text that it is, because the provider takes base64 for PDFs only. */
const Base64Text = base64Of(['text/plain']).transform(({ data }, context) => {
  const bytes = Buffer.from(data, 'base64');
  const text = SaidText.safeParse(bytes.toString('utf8')).data;
  if (text !== undefined && Buffer.from(text).equals(bytes))
    return { type: 'text' as const, media_type: 'text/plain' as const, data: text };
  context.addIssue({ code: 'custom', path: ['data'], message: 'must be a text in UTF-8 that says something' });
  return z.NEVER;
});
const SentBase64 = z.discriminatedUnion('media_type', [base64Of(['application/pdf']), Base64Text]);

const SentDocument = z.strictObject({
  ...DocumentBlock.shape,
  title: wellFormed(500).nullish(),
  context: wellFormed(10_000).nullish(),
  source: z.discriminatedUnion('type', [SentBase64, UrlSource, PlainTextSource, FileSource]),
});
const SentSearchResult = z.strictObject({
  ...SearchResultBlock.shape,
  source: wellFormed(MAX_TEXT_CHARS),
  title: wellFormed(MAX_TEXT_CHARS),
});
const SentText = z.strictObject({ type: z.literal('text'), text: SaidText });

const MAX_BLOCKS = 1000;

/** The content of a client's message. */
export const UserContent = z
  .array(z.discriminatedUnion('type', [SentText, ImageBlock, SentDocument]))
  .min(1)
  .max(MAX_BLOCKS);
export type UserContent = z.infer<typeof UserContent>;

/** The content of a tool's result; a tool may print nothing, or spaces. */
export const ToolResultInput = z
  .array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('text'), text: WellFormedText }),
      ImageBlock,
      SentDocument,
      SentSearchResult,
    ]),
  )
  .max(MAX_BLOCKS);

export const SystemContent = z.array(SentText).min(1).max(MAX_BLOCKS);

export const Content = z.array(z.discriminatedUnion('type', [TextBlock, ImageBlock, DocumentBlock]));
export type Content = z.infer<typeof Content>;

export const ToolContent = z.array(
  z.discriminatedUnion('type', [TextBlock, ImageBlock, DocumentBlock, SearchResultBlock]),
);
export type ToolContent = z.infer<typeof ToolContent>;

/** The images and documents of a content that name a file, and the place of each among its blocks. */
export function filesIn(content: ToolContent): readonly { readonly index: number; readonly block: FileBlock }[] {
  return content.flatMap((block, index) => (isFileBlock(block) ? [{ index, block }] : []));
}

type FileBlock = Extract<ToolContent[number], { type: 'image' | 'document' }> & {
  readonly source: z.infer<typeof FileSource>;
};

function isFileBlock(block: ToolContent[number]): block is FileBlock {
  return (block.type === 'image' || block.type === 'document') && block.source.type === 'file';
}
