/** What the agent writes below the folder of outputs becomes files of the session, which its client lists and downloads. */
import { MAX_FILE_BYTES } from '#contract/files.ts';
import { OUTPUTS_DIR, type ContentChange } from '#contract/hands.ts';
import { FileId } from '#contract/ids.ts';
import { MAX_OUTPUT_BYTES, MAX_OUTPUTS } from '#contract/resources.ts';
import { outputName, outputType } from '#core/files/output-name.ts';
import { fileHolder, storeBlob } from '#core/files/store-file.ts';
import type { ChangeTaker, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import type { OutputState } from '#core/ports/files.ts';
import type { Content } from '#core/ports/sandboxes.ts';

type Written = ContentChange & { readonly sha256: string };

export function outputsTaker(world: ContentsWorld, recipient: Recipient): ChangeTaker {
  const { session } = recipient.hand;
  return {
    takes: (path) => path.startsWith(`${OUTPUTS_DIR}/`),
    async take({ sha256, ...change }, content) {
      // The user keeps what was given when the agent removes its own file.
      if (content === null || sha256 === null) return null;
      const state = await world.outputs.find(session, change.path);
      // An earlier attempt has stored it.
      if (state.last?.sha256 === sha256) return null;
      const rule = refusedBy(state, change.bytes);
      if (rule !== null) return `(The file ${JSON.stringify(change.path)} was not given to the user: ${rule}.)`;
      await store(world, recipient, {
        written: { ...change, sha256 },
        content,
        version: (state.last?.version ?? 0) + 1,
      });
      return null;
    },
  };
}

function refusedBy({ files, bytes }: OutputState, more: number): string | null {
  if (more > MAX_FILE_BYTES) return `a file may have ${MAX_FILE_BYTES} bytes`;
  if (files >= MAX_OUTPUTS) return `a session gives at most ${MAX_OUTPUTS} files`;
  return bytes + more > MAX_OUTPUT_BYTES
    ? `the files that a session gives have at most ${MAX_OUTPUT_BYTES} bytes`
    : null;
}

interface Storing {
  readonly written: Written;
  readonly content: Content;
  /** Counts the contents of this path from 1. */
  readonly version: number;
}

/**
 * The id follows from what is stored, so an attempt after a death finds the file that the one before has made. A process
 * that dies before the row leaves a leftover, and one that dies before the note makes no second file.
 */
async function store(
  world: ContentsWorld,
  { hand: { session }, state: { workspace } }: Recipient,
  { written: { path, sha256 }, content, version }: Storing,
): Promise<void> {
  const digest = world.sha256(JSON.stringify([session, path, version, sha256]));
  const id = FileId.parse(`file_01${digest.slice(0, 22)}`);
  if ((await world.files.find(workspace, id)) === null) {
    const created_at = world.stamp.now();
    const bytes = ReadableStream.from(content.body);
    const blob = await storeBlob(world, fileHolder(workspace, id), { sizeBytes: content.bytes, bytes });
    const filename = outputName(path);
    const named = { id, type: 'file' as const, filename, mime_type: outputType(filename), size_bytes: content.bytes };
    const scope = { type: 'session' as const, id: session };
    const file = { ...named, created_at, downloadable: true, expires_at: null, scope };
    await world.files.create(workspace, { file, blob });
  }
  await world.outputs.note(session, path, { version, sha256, bytes: content.bytes, file: id });
}
