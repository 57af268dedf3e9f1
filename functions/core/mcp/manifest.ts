/** What a server says of its tools, as it may be shown, compared and pinned. */
import type { McpTool } from '#contract/mcp.ts';
import { canonicalJson, type Sha256 } from '#core/ports/canonical-json.ts';

/** Control, format (bidirectional and zero-width among them) and unassigned characters: what a reader would not see. */
const UNSEEN = /[^\P{C}\n\t]/gu;

/** Of a server's words, what a person would see of them. */
export function seen(text: string): string {
  return text.toWellFormed().replaceAll(UNSEEN, '');
}

/** What a person who approves the tool would not see must not reach the model either. */
export function withoutUnseen(tool: McpTool): McpTool {
  return { ...tool, description: seen(tool.description), input_schema: seenSchema(tool.input_schema) };
}

const WORDS: ReadonlySet<string> = new Set(['title', 'description']);

/** Only what is said of arguments: names and values have to be what the server knows. */
function seenSchema(schema: McpTool['input_schema']): McpTool['input_schema'] {
  const shown = JSON.stringify(schema, (key, value: unknown) =>
    WORDS.has(key) && typeof value === 'string' ? seen(value) : value,
  );
  return JSON.parse(shown) as McpTool['input_schema'];
}

/** Of everything that a server says of a tool: one that changes any of it is another tool. */
export function fingerprint(tool: McpTool, sha256: Sha256): string {
  const { name, description, input_schema: schema, hints } = tool;
  return sha256(canonicalJson({ name, description, schema, hints }));
}

/** Twice what the protocol asks of names. One without end would be kept with the tool's pin, which has its own limit. */
const MAX_NAME_CHARS = 256;

/**
 * Those that can be known by their names: one that a server lists twice says two things, and which of them was pinned
 * would be chance.
 */
export function withOwnName(tools: readonly McpTool[]): readonly McpTool[] {
  const uses = Map.groupBy(tools, ({ name }) => name);
  return tools.filter(({ name }) => name.length <= MAX_NAME_CHARS && uses.get(name)?.length === 1);
}
