/**
 * The bytes of files in a model request. Everything before works with what the log says of them, and they are read last:
 * files that make room for newer ones never are. A warm function keeps what it has read, because a blob never changes.
 */
import type { BlobKey } from '#contract/files.ts';
import { heldIn } from '#core/harness/attachments.ts';
import { blocksIn } from '#core/harness/gate.ts';
import { maxAttachedChars } from '#core/model/attachment-limits.ts';
import type { ContentBlock, ModelRequest } from '#core/ports/model.ts';
import type { Ports } from '#core/ports/ports.ts';

export interface AttachedFiles {
  /** The request with the base64 of each file in the place of its blob. */
  fill(request: ModelRequest): Promise<ModelRequest>;
}

export function createAttachedFiles({ blobs }: Pick<Ports, 'blobs'>): AttachedFiles {
  /** Base64 by blob; the one that was used last is the last. */
  const kept = new Map<string, string>();

  async function dataOf(blob: BlobKey): Promise<string> {
    const known = kept.get(blob);
    const data = known ?? Buffer.from(await new Response(await blobs.get(blob)).arrayBuffer()).toString('base64');
    kept.delete(blob);
    kept.set(blob, data);
    return data;
  }

  /** One request's files fit. */
  function forgetOldest(maxChars: number): void {
    let chars = [...kept.values()].reduce((sum, { length }) => sum + length, 0);
    for (const [blob, { length }] of kept) {
      if (chars <= maxChars) return;
      kept.delete(blob);
      chars -= length;
    }
  }

  return {
    async fill(request) {
      const blobs = new Set(request.messages.flatMap(({ content }) => content.flatMap(blocksIn).flatMap(blobOf)));
      const read = await Promise.all([...blobs].map(async (blob) => [blob, await dataOf(blob)] as const));
      forgetOldest(maxAttachedChars(request.model));
      const data = new Map(read);
      const messages = request.messages.map(({ role, content }) => ({ role, content: filled(content, data) }));
      return { ...request, messages };
    },
  };
}

function blobOf(block: ContentBlock): BlobKey | readonly [] {
  return heldIn(block)?.blob ?? [];
}

function filled(content: readonly ContentBlock[], data: ReadonlyMap<BlobKey, string>): readonly ContentBlock[] {
  return content.map((block) => {
    if (block.type === 'tool_result') return { ...block, content: filled(blocksIn(block), data) };
    const held = heldIn(block);
    if (held === null) return block;
    return { ...block, source: { type: 'base64', media_type: held.media_type, data: data.get(held.blob) } };
  });
}
