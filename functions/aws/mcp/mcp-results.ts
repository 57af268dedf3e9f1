/** Turns answers of the SDK into those of the port. */
import type { CallToolResult, ContentBlock, Tool } from '@modelcontextprotocol/client';
import type { McpTool, ToolHints } from '#contract/mcp.ts';
import { mediaTypeOf } from '#core/model/media.ts';
import { isTextual } from '#core/hands/web-content.ts';
import type { McpBlock, McpCalled } from '#core/ports/mcp-client.ts';

/** The schema stays as it came: it may be of a newer JSON Schema, which the model reads. */
export function toolOf({ name, description, inputSchema, annotations }: Tool): McpTool {
  return { name, description: description ?? '', input_schema: inputSchema, hints: (annotations ?? {}) as ToolHints };
}

export function answerOf({ content, isError }: CallToolResult): McpCalled {
  return { status: 'answered', content: content.flatMap(blockOf), isError: isError === true };
}

function blockOf(block: ContentBlock): McpBlock[] {
  switch (block.type) {
    case 'text':
      return [{ type: 'text', text: block.text }];
    case 'image':
    case 'audio':
      return [{ type: block.type, data: block.data, mimeType: block.mimeType }];
    case 'resource_link':
      return [{ type: 'resource_link', uri: block.uri, name: block.name }];
    case 'resource': {
      const { uri, mimeType } = block.resource;
      const text = 'text' in block.resource ? block.resource.text : null;
      const blob = 'blob' in block.resource ? block.resource.blob : null;
      const told = { type: 'resource', uri, mimeType: mimeType ?? null } as const;
      const coded = text ?? (blob === null ? null : codedText(blob, mimeType ?? ''));
      return [coded === null ? { ...told, text, blob } : { ...told, text: coded, blob: null }];
    }
    default:
      return block satisfies never;
  }
}

/** The text in bytes that hold text, so that it is redacted and shown as text. Null for other bytes. */
function codedText(blob: string, mimeType: string): string | null {
  const bytes = Buffer.from(blob, 'base64');
  if (bytes.length === 0 || mediaTypeOf(bytes) !== null || !isTextual(mimeType, bytes)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // The bytes are in another encoding, or are not text.
    return null;
  }
}
