/**
 * Files that a client's events name, as the model will get them. What the model's provider would refuse is refused here,
 * when the events are sent: by then nothing of the file is known but its bytes.
 */
import { filesIn, MAX_BODY_BYTES, type ToolContent } from '#contract/content.ts';
import type { HeldFile, HeldFiles } from '#contract/entries.ts';
import type { FileId, SessionId, WorkspaceId } from '#contract/ids.ts';
import { copyOf, isExpired } from '#core/files/copy.ts';
import { readPdf } from '#core/files/pdf.ts';
import { textOf } from '#core/files/text-file.ts';
import {
  base64Chars,
  MANY_IMAGES,
  MAX_IMAGE_CHARS,
  MAX_IMAGES,
  MAX_SIDE_AMONG_MANY_PX,
  MAX_SIDE_PX,
  maxAttachedChars,
  maxPages,
} from '#core/model/attachment-limits.ts';
import { habitsOf } from '#core/model/habits.ts';
import { mediaTypeOf, sizeOf } from '#core/model/media.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { FileCopy, StoredFile } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';

export interface AskedContent {
  /** Names the content in a refusal. */
  readonly field: string;
  readonly content: ToolContent;
}

export interface PlannedAttachments {
  readonly files: HeldFiles;
  /** Of the files whose bytes stay where they are: to be written before the events are. */
  readonly copies: readonly FileCopy[];
}

interface Target {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly model: string;
}

/** A block that names a file. */
interface Named {
  readonly field: string;
  readonly type: 'image' | 'document';
  readonly stored: StoredFile;
}

/** The contract's limit of `initial_events`; a request to the model has no room for more. */
const MAX_DOCUMENTS = 100;

/** Reads only. */
export async function planAttachments(
  world: Pick<Ports, 'files' | 'blobs' | 'newToken' | 'stamp'>,
  { workspace, session, model }: Target,
  asked: readonly AskedContent[],
): Promise<PlannedAttachments | RequestRefusal> {
  const named = await find(world, workspace, asked);
  if (isRefusal(named)) return named;
  const unfit = firstOf(named, tooLarge(model));
  if (unfit !== null) return unfit;
  const stored = [...new Map(named.map((one) => [one.stored.file.id, one.stored])).values()];
  const judged = new Map(await Promise.all(stored.map(async (one) => [one.file.id, await judge(world, one)] as const)));
  const kindOf = ({ stored: { file } }: Named): Judged => judged.get(file.id) ?? OTHER;
  const refused = firstOf(named, (one) => unfitKind(one, kindOf(one), model)) ?? firstOf(named, tooMuch(kindOf, model));
  if (refused !== null) return refused;
  const files: [FileId, HeldFile][] = [];
  const copies: FileCopy[] = [];
  const at = world.stamp.now();
  for (const one of stored) {
    const held = heldOf(one, judged.get(one.file.id) ?? OTHER);
    files.push([one.file.id, held]);
    if (held.type === 'blob') copies.push(copyOf(one, { session, token: world.newToken(), at, listed: 'nowhere' }));
  }
  return { files: Object.fromEntries(files), copies };
}

/** The refusal of the first one that breaks the rule. */
function firstOf(named: readonly Named[], rule: (one: Named) => string | null): RequestRefusal | null {
  for (const one of named) {
    const broken = rule(one);
    if (broken !== null) return refuse('invalid_request_error', `${one.field}: ${broken}`);
  }
  return null;
}

async function find(
  { files, stamp }: Pick<Ports, 'files' | 'stamp'>,
  workspace: WorkspaceId,
  asked: readonly AskedContent[],
): Promise<readonly Named[] | RequestRefusal> {
  const blocks = asked.flatMap(({ field, content }) =>
    filesIn(content).map(({ index, block }) => ({ field: `${field}.${index}.source.file_id`, block })),
  );
  for (const [type, max] of [
    ['document', MAX_DOCUMENTS],
    ['image', MAX_IMAGES],
  ] as const) {
    const beyond = blocks.filter(({ block }) => block.type === type)[max];
    if (beyond === undefined) continue;
    return refuse('invalid_request_error', `${beyond.field}: one request names at most ${max} files as ${type}s`);
  }
  const ids = [...new Set(blocks.map(({ block }) => block.source.file_id))];
  const found = new Map((await files.findAll(workspace, ids)).map((stored, index) => [ids[index], stored]));
  const named: Named[] = [];
  for (const { field, block } of blocks) {
    const stored = found.get(block.source.file_id) ?? null;
    // A file of another workspace is answered in the same way.
    if (stored === null) return refuse('invalid_request_error', `${field}: there is no such file`);
    if (isExpired(stored, stamp.now())) return refuse('invalid_request_error', `${field}: the file has expired`);
    named.push({ field, type: block.type, stored });
  }
  return named;
}

/** Before a byte is read. */
function tooLarge(model: string): (one: Named) => string | null {
  const maxBytes = (maxAttachedChars(model) / 4) * 3;
  let bytes = 0;
  return ({ type, stored: { file } }) => {
    bytes += file.size_bytes;
    if (file.size_bytes === 0) return 'the file is empty';
    if (type === 'image' && base64Chars(file.size_bytes) > MAX_IMAGE_CHARS)
      return `the model’s provider takes images of at most ${(MAX_IMAGE_CHARS / 4) * 3} bytes`;
    return bytes > maxBytes ? `the files of one request have at most ${maxBytes} bytes together` : null;
  };
}

type Judged =
  | { readonly kind: 'image'; readonly mediaType: string; readonly side: number | null }
  | { readonly kind: 'pdf'; readonly isEncrypted: boolean; readonly pages: number }
  | { readonly kind: 'text'; readonly text: string }
  | typeof OTHER;

const OTHER = { kind: 'other' } as const;

/** By its bytes: the type that a client gave may be wrong, and the provider looks at the bytes too. */
async function judge({ blobs }: Pick<Ports, 'blobs'>, { blob }: StoredFile): Promise<Judged> {
  const bytes = new Uint8Array(await new Response(await blobs.get(blob)).arrayBuffer());
  const mediaType = mediaTypeOf(bytes);
  if (mediaType === 'application/pdf') return { kind: 'pdf', ...(await readPdf(bytes)) };
  if (mediaType !== null) {
    const size = sizeOf(bytes, mediaType);
    const side = size === null || size.width === 0 || size.height === 0 ? null : Math.max(size.width, size.height);
    return { kind: 'image', mediaType, side };
  }
  const text = textOf(bytes);
  return text === null ? OTHER : { kind: 'text', text };
}

/** No text has so many for each token. */
const MOST_CHARS_PER_TOKEN = 6;

function unfitKind({ type }: Named, judged: Judged, model: string): string | null {
  if (type === 'image')
    return judged.kind === 'image' ? unfitSide(judged.side) : 'the file is no JPEG, PNG, GIF or WebP';
  const { windowTokens } = habitsOf(model);
  switch (judged.kind) {
    case 'pdf':
      return judged.isEncrypted ? 'the PDF is encrypted, and the model’s provider takes none with a password' : null;
    case 'text':
      if (judged.text.trim() === '') return 'the text must say something';
      return judged.text.length > windowTokens * MOST_CHARS_PER_TOKEN
        ? `the text is larger than the window of ${model}, which has ${windowTokens} tokens`
        : null;
    case 'image':
      return 'the file is an image: send it in a block of type image';
    case 'other':
      return 'the file is neither a PDF nor a text in UTF-8';
    default:
      return judged satisfies never;
  }
}

function unfitSide(side: number | null): string | null {
  if (side === null) return 'the size of the image cannot be read';
  return side > MAX_SIDE_PX ? `the model’s provider takes images of at most ${MAX_SIDE_PX} pixels a side` : null;
}

/** Of all files together. */
function tooMuch(kindOf: (one: Named) => Judged, model: string): (one: Named) => string | null {
  const mostPages = maxPages(model);
  let pages = 0;
  let bytes = 0;
  let images = 0;
  let largest = 0;
  return (one) => {
    const judged = kindOf(one);
    // Their entry is as large as one with the texts in its event, whose body is limited.
    if (judged.kind === 'text') bytes += Buffer.byteLength(JSON.stringify(judged.text));
    if (bytes > MAX_BODY_BYTES)
      return `the texts of one request have at most ${MAX_BODY_BYTES} bytes together, as JSON`;
    if (judged.kind === 'pdf') pages += judged.pages;
    if (pages > mostPages) return `the PDFs of one request have at most ${mostPages} pages together for ${model}`;
    if (judged.kind !== 'image') return null;
    images += 1;
    largest = Math.max(largest, judged.side ?? 0);
    return images > MANY_IMAGES && largest > MAX_SIDE_AMONG_MANY_PX
      ? `more than ${MANY_IMAGES} images in one request must have at most ${MAX_SIDE_AMONG_MANY_PX} pixels a side`
      : null;
  };
}

function heldOf({ file, blob }: StoredFile, judged: Judged): HeldFile {
  if (judged.kind === 'text') return { type: 'text', media_type: 'text/plain', data: judged.text };
  const held = { type: 'blob', blob, chars: base64Chars(file.size_bytes) } as const;
  if (judged.kind !== 'image' || judged.side === null) return { ...held, media_type: 'application/pdf' };
  return { ...held, media_type: judged.mediaType, side: judged.side };
}
