/**
 * Rubrics that are files. The text takes its place before the events are sent, so a file that is deleted later changes
 * nothing.
 */
import { MAX_RUBRIC_CHARS, type EventInput } from '#contract/events.ts';
import type { FileId, WorkspaceId } from '#contract/ids.ts';
import { isExpired } from '#core/files/copy.ts';
import { textOf } from '#core/files/text-file.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';

type RubricPorts = Pick<Ports, 'files' | 'blobs' | 'stamp'>;

/** UTF-8 has at most three bytes for each unit of a text. */
const MAX_RUBRIC_BYTES = 3 * MAX_RUBRIC_CHARS;

/** `list` is the field of the request that holds the events. */
export async function readRubrics<Event extends EventInput>(
  ports: RubricPorts,
  workspace: WorkspaceId,
  { list, events }: { readonly list: string; readonly events: readonly Event[] },
): Promise<readonly Event[] | RequestRefusal> {
  const read: Event[] = [];
  for (const [index, event] of events.entries()) {
    if (event.type !== 'user.define_outcome' || event.rubric.type !== 'file') {
      read.push(event);
      continue;
    }
    const rubric = await readRubric(ports, workspace, event.rubric.file_id);
    if ('unfit' in rubric) return refuse('invalid_request_error', `${list}.${index}.rubric.file_id: ${rubric.unfit}`);
    read.push({ ...event, rubric: { type: 'text', content: rubric.text } });
  }
  return read;
}

async function readRubric(
  { files, blobs, stamp }: RubricPorts,
  workspace: WorkspaceId,
  id: FileId,
): Promise<{ readonly text: string } | { readonly unfit: string }> {
  const stored = await files.find(workspace, id);
  // A file of another workspace is answered in the same way.
  if (stored === null) return { unfit: 'there is no such file' };
  if (isExpired(stored, stamp.now())) return { unfit: 'the file has expired' };
  const tooLong = { unfit: `a rubric has at most ${MAX_RUBRIC_CHARS} characters` };
  if (stored.file.size_bytes > MAX_RUBRIC_BYTES) return tooLong;
  const text = textOf(new Uint8Array(await new Response(await blobs.get(stored.blob)).arrayBuffer()));
  if (text === null) return { unfit: 'the file is no text in UTF-8' };
  if (text.trim() === '') return { unfit: 'the text must say something' };
  return text.length > MAX_RUBRIC_CHARS ? tooLong : { text };
}
