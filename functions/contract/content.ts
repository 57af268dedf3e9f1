/** Content blocks of events (contract §3.1). */
import * as z from 'zod';

/** Below the 6 MB that one synchronous Lambda invocation carries, with room for the JSON around it. */
export const MAX_BODY_BYTES = 5_000_000;
const MAX_TEXT_CHARS = 4_000_000;

export const TextBlock = z
  .object({ type: z.literal('text'), text: z.string().max(MAX_TEXT_CHARS) })
  .meta({ id: 'TextBlock' });
export type TextBlock = z.infer<typeof TextBlock>;

/** Text that the model provider takes: a block of whitespace, or half a surrogate pair, would spoil every request after it. */
const SaidText = z
  .string()
  .max(MAX_TEXT_CHARS)
  .refine((text) => text.trim() !== '', 'must say something: whitespace alone is refused by the model provider')
  .refine((text) => text.isWellFormed(), 'must be well-formed Unicode');

const base64Of = <Media extends readonly [string, ...string[]]>(media: Media) =>
  z.strictObject({ type: z.literal('base64'), media_type: z.enum(media), data: z.base64().min(1) });
const UrlSource = z.strictObject({ type: z.literal('url'), url: z.url({ protocol: /^https?$/ }) });
const PlainTextSource = z.strictObject({
  type: z.literal('text'),
  media_type: z.literal('text/plain'),
  data: SaidText,
});

const ImageSource = z.discriminatedUnion('type', [
  base64Of(['image/jpeg', 'image/png', 'image/gif', 'image/webp']),
  UrlSource,
]);
const DocumentSource = z.discriminatedUnion('type', [base64Of(['application/pdf']), UrlSource, PlainTextSource]);

export const ImageBlock = z.strictObject({ type: z.literal('image'), source: ImageSource }).meta({ id: 'ImageBlock' });
export const DocumentBlock = z
  .strictObject({
    type: z.literal('document'),
    source: DocumentSource,
    title: z.string().max(500).nullish(),
    context: z.string().max(10_000).nullish(),
  })
  .meta({ id: 'DocumentBlock' });

/** What a client may send. */
export const UserContent = z
  .array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('text'), text: SaidText }),
      ImageBlock,
      DocumentBlock,
    ]),
  )
  .min(1)
  .max(1000);
export type UserContent = z.infer<typeof UserContent>;

export const Content = z.array(z.discriminatedUnion('type', [TextBlock, ImageBlock, DocumentBlock]));
export type Content = z.infer<typeof Content>;
