/** Content blocks of events (contract §3.1). */
import * as z from 'zod';

/** Below the 6 MB that one synchronous Lambda invocation carries, with room for the JSON around it. */
export const MAX_BODY_BYTES = 5_000_000;
const MAX_TEXT_CHARS = 4_000_000;

export const TextBlock = z
  .object({ type: z.literal('text'), text: z.string().max(MAX_TEXT_CHARS) })
  .meta({ id: 'TextBlock' });
export type TextBlock = z.infer<typeof TextBlock>;

const Base64Source = z.strictObject({ type: z.literal('base64'), media_type: z.string().min(1), data: z.base64() });
const UrlSource = z.strictObject({ type: z.literal('url'), url: z.url({ protocol: /^https?$/ }) });
const PlainTextSource = z.strictObject({
  type: z.literal('text'),
  media_type: z.literal('text/plain'),
  data: z.string().max(MAX_TEXT_CHARS),
});

const ImageSource = z.discriminatedUnion('type', [Base64Source, UrlSource]);
const DocumentSource = z.discriminatedUnion('type', [Base64Source, UrlSource, PlainTextSource]);

export const ImageBlock = z.strictObject({ type: z.literal('image'), source: ImageSource }).meta({ id: 'ImageBlock' });
export const DocumentBlock = z
  .strictObject({
    type: z.literal('document'),
    source: DocumentSource,
    title: z.string().max(500).nullish(),
    context: z.string().max(10_000).nullish(),
  })
  .meta({ id: 'DocumentBlock' });

/** What a client may send: text must say something, for the model provider refuses an empty block. */
export const UserContent = z
  .array(
    z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('text'), text: z.string().min(1).max(MAX_TEXT_CHARS) }),
      ImageBlock,
      DocumentBlock,
    ]),
  )
  .min(1)
  .max(1000);
export type UserContent = z.infer<typeof UserContent>;

export const Content = z.array(z.discriminatedUnion('type', [TextBlock, ImageBlock, DocumentBlock]));
export type Content = z.infer<typeof Content>;
