/**
 * What the grader reads: the files that the session's sandboxes wrote, from where they are stored. No sandbox is needed,
 * none can be changed, and a repeat reads the same.
 */
import type { FileId, WorkspaceId } from '#contract/ids.ts';
import { OUTPUTS_DIR } from '#contract/hands.ts';
import { DELETED, GrepInput, ReadInput } from '#core/harness/grader.ts';
import { base64Chars, MAX_IMAGE_CHARS } from '#core/model/attachment-limits.ts';
import { mediaTypeOf, sizeOf } from '#core/model/media.ts';
import { estimateTokens } from '#core/model/room.ts';
import type { StoredFile, StoredOutput } from '#core/ports/files.ts';
import type { ContentBlock } from '#core/ports/model.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { ToolResult } from '#core/session/commands.ts';

type ReadPorts = Pick<Ports, 'files' | 'blobs'>;

interface Delivered {
  readonly workspace: WorkspaceId;
  readonly outputs: readonly StoredOutput[];
  /** What is left of the grader's window. */
  readonly roomTokens: number;
}

/** Of one result. */
const MAX_CHARS = 50_000;
/** Of one file. A longer one is read and searched up to here. */
const MAX_TEXT_BYTES = 20_000_000;
/** A call that searches looks at no more than this. */
const MAX_SEARCHED_BYTES = 50_000_000;
const MAX_MATCHES = 100;
const MAX_LINE_CHARS = 300;

/** One after the other, so that one file at a time is in memory; when the window is full, the rest is not read. */
export async function readOutputs(
  ports: ReadPorts,
  { roomTokens, ...delivered }: Delivered,
  calls: readonly ContentBlock[],
): Promise<readonly ToolResult[]> {
  const results: ToolResult[] = [];
  let left = roomTokens;
  for (const call of calls) {
    const told =
      left > 0 ? await answerCall(ports, delivered, call) : refused('There is no room for more. Give your verdict.');
    left -= estimateTokens(told.content);
    results.push({ type: 'tool_result', tool_use_id: call['id'], is_error: told.isError, content: told.content });
  }
  return results;
}

interface Told {
  readonly content: readonly ContentBlock[];
  readonly isError: boolean;
}

async function answerCall(
  ports: ReadPorts,
  delivered: Omit<Delivered, 'roomTokens'>,
  { name, input }: ContentBlock,
): Promise<Told> {
  if (name === 'read') {
    const asked = ReadInput.safeParse(input);
    return asked.success
      ? read(ports, delivered, asked.data)
      : refused('read takes a path, and from which character on.');
  }
  const asked = GrepInput.safeParse(input);
  return asked.success ? grep(ports, delivered, asked.data) : refused('grep takes a text, and a path or none.');
}

async function read(
  ports: ReadPorts,
  delivered: Omit<Delivered, 'roomTokens'>,
  { path, from = 0 }: { readonly path: string; readonly from?: number | undefined },
): Promise<Told> {
  const output = outputAt(delivered.outputs, path);
  if (output === undefined) return refused('There is no such file among those that were delivered.');
  const delivery = await contentOf(ports, delivered.workspace, output.file);
  if (delivery === null) return refused(DELETED);
  const { stored, bytes } = delivery;
  const media = mediaTypeOf(bytes);
  if (media !== null) return attached(stored, bytes, media);
  const text = textOf(bytes);
  if (text === null) return refused(`The file is no text, image or PDF. It has ${output.bytes} bytes.`);
  if (text === '') return said('(an empty file)');
  const part = text.slice(from, from + MAX_CHARS).toWellFormed();
  if (part === '') return refused(`The text has ${text.length} characters.`);
  const rest = text.length - from - part.length;
  return said(rest > 0 ? `${part}\n[${rest} more characters: read on from ${from + part.length}]` : part);
}

/** The bytes go into the request when it is sent, as those of files that messages name. */
function attached(
  { file, blob: key }: StoredFile,
  bytes: Uint8Array,
  media: NonNullable<ReturnType<typeof mediaTypeOf>>,
): Told {
  const chars = base64Chars(file.size_bytes);
  if (chars > MAX_IMAGE_CHARS) return refused(`The file is of the type ${media} and too large to be shown.`);
  // The file is named, because its user may delete it before the request that shows it.
  const blob = { type: 'blob', media_type: media, blob: key, file: file.id } as const;
  if (media === 'application/pdf') {
    return { isError: false, content: [{ type: 'document', source: { ...blob, chars } }] };
  }
  const size = sizeOf(bytes, media);
  if (size === null || size.width * size.height === 0) return refused(`The file is a damaged image (${media}).`);
  const side = Math.max(size.width, size.height);
  return { isError: false, content: [{ type: 'image', source: { ...blob, chars, side } }] };
}

/** A text and no pattern: a pattern of a model that has read hostile files may never end. */
async function grep(
  ports: ReadPorts,
  { workspace, outputs }: Omit<Delivered, 'roomTokens'>,
  { text: sought, path }: { readonly text: string; readonly path?: string | undefined },
): Promise<Told> {
  const one = path === undefined ? undefined : outputAt(outputs, path);
  if (path !== undefined && one === undefined) return refused('There is no such file among those that were delivered.');
  const matches: string[] = [];
  let searched = 0;
  for (const output of one === undefined ? outputs : [one]) {
    if (matches.length >= MAX_MATCHES || searched >= MAX_SEARCHED_BYTES) {
      return said([...matches, '[the search ended here: name a path, or a longer text]'].join('\n'));
    }
    const delivery = await contentOf(ports, workspace, output.file);
    if (delivery === null && one !== undefined) return refused(DELETED);
    searched += delivery?.bytes.length ?? 0;
    const text = delivery === null ? null : textOf(delivery.bytes);
    for (const [index, line] of (text ?? '').split('\n').entries()) {
      if (matches.length < MAX_MATCHES && line.includes(sought)) matches.push(matchOf(output, index, line));
    }
  }
  return said(matches.length === 0 ? '(no line contains it)' : matches.join('\n'));
}

function matchOf({ path }: StoredOutput, index: number, line: string): string {
  return `${path}:${index + 1}: ${line.slice(0, MAX_LINE_CHARS).toWellFormed()}`;
}

/** A path may also be told as it is below the folder. */
function outputAt(outputs: readonly StoredOutput[], asked: string): StoredOutput | undefined {
  return outputs.find(({ path }) => path === asked || path === `${OUTPUTS_DIR}/${asked}`);
}

interface Content {
  readonly stored: StoredFile;
  readonly bytes: Uint8Array;
}

/** Null for a file that its user has deleted, also while it is read. */
async function contentOf(ports: ReadPorts, workspace: WorkspaceId, id: FileId): Promise<Content | null> {
  const stored = await ports.files.find(workspace, id);
  if (stored === null) return null;
  try {
    return { stored, bytes: await bytesOf(ports, stored) };
  } catch (error) {
    if ((await ports.files.find(workspace, id)) === null) return null;
    throw error;
  }
}

async function bytesOf({ blobs }: ReadPorts, { blob, file }: StoredFile): Promise<Uint8Array> {
  // A stream of no bytes is of no use to every store.
  if (file.size_bytes === 0) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of await blobs.get(blob)) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= MAX_TEXT_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, MAX_TEXT_BYTES);
}

function textOf(bytes: Uint8Array): string | null {
  return bytes.includes(0) ? null : new TextDecoder().decode(bytes);
}

function said(text: string): Told {
  return { content: [{ type: 'text', text }], isError: false };
}

function refused(text: string): Told {
  return { content: [{ type: 'text', text }], isError: true };
}
