/** Takes secrets out of what a server answered, before any of it is shaped or cut. */
import type { McpBlock } from '#core/ports/mcp-client.ts';
import { redact } from '#core/mcp/redact.ts';

export interface RedactedBlocks {
  readonly blocks: readonly McpBlock[];
  readonly found: boolean;
}

export function redactBlocks(
  blocks: readonly McpBlock[],
  secretsInUse: readonly string[],
  marker: string,
): RedactedBlocks {
  const redacted = blocks.map((block) => redactBlock(block, secretsInUse, marker));
  return { blocks: redacted.map(({ block }) => block), found: redacted.some(({ found }) => found) };
}

/** Of files and images nothing is left: with a part taken out they would be no such file any more. */
function redactBlock(block: McpBlock, secretsInUse: readonly string[], marker: string) {
  const fields = Object.entries(block).map(([name, value]) => {
    if (typeof value !== 'string') return { name, value, found: false };
    if (name !== 'data' && name !== 'blob') {
      const { text, found } = redact(value, secretsInUse, marker);
      return { name, value: text, found };
    }
    const bytes = Buffer.from(value, 'base64').toString('latin1');
    const { found } = redact(bytes, secretsInUse, marker);
    return { name, value: found ? '' : value, found };
  });
  const found = fields.some((field) => field.found);
  // The same names with texts for texts: still the block's type.
  return { block: Object.fromEntries(fields.map(({ name, value }) => [name, value])) as McpBlock, found };
}
