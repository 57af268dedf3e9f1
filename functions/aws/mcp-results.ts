/** From the SDK's answers to ours. */
import type { CallToolResult, ContentBlock, Tool } from '@modelcontextprotocol/client';
import { ToolHints, type McpTool } from '#contract/mcp.ts';
import type { McpBlock, McpCalled } from '#core/mcp/mcp-client.ts';

/** The schema goes on as it came: what a newer JSON Schema says in it is between the server and the model. */
export function toolOf({ name, description, inputSchema, annotations }: Tool): McpTool {
  const hints = ToolHints.safeParse(annotations ?? {});
  return { name, description: description ?? '', input_schema: inputSchema, hints: hints.data ?? {} };
}

export function answerOf({ content, structuredContent, isError }: CallToolResult): McpCalled {
  const blocks = content.flatMap(blockOf);
  // A server should say in text what it says in structure, and some do not.
  const isBare = blocks.length === 0 && structuredContent !== undefined;
  const told: McpBlock[] = isBare ? [{ type: 'text', text: JSON.stringify(structuredContent) }] : blocks;
  return { status: 'answered', content: told, isError: isError === true };
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
      return [{ type: 'resource', uri, mimeType: mimeType ?? null, text, blob }];
    }
    default:
      return block satisfies never;
  }
}
