/** The names under which the model is offered what MCP servers list. */
import type { McpTool, OfferedTool, ServerListing } from '#contract/mcp.ts';
import { isJsonSchema } from '#core/tools/json-schema.ts';

/** The provider's rule for the name of a tool. */
const MAX_NAME_CHARS = 128;
const FOREIGN = /[^A-Za-z0-9_-]/g;
const HASH_CHARS = 8;

/** The provider's rule for the names of arguments; it checks only those at the top level. */
const ARGUMENT = /^[A-Za-z0-9_.-]{1,64}$/;
const COMBINATORS = ['oneOf', 'anyOf', 'allOf'] as const;
/** Half a surrogate pair, as JSON spells it. After an even number of backslashes it is an ordinary text. */
const HALF_A_PAIR = /(?<!\\)(?:\\\\)*\\ud[89a-f]/i;

/**
 * `mcp__<server>__<tool>`, in the provider's letters. A name that is too long, or that two tools would have, ends in a
 * hash of server and tool, so that it does not depend on the order of tools. A tool that the provider would refuse is
 * left out: the provider would refuse the whole request, and a server could end a session.
 */
export function offerTools(
  listings: readonly ServerListing[],
  sha256: (text: string) => string,
): readonly OfferedTool[] {
  const listed = listings.flatMap((listing) => {
    if (listing.status === 'failed') return [];
    const { server } = listing;
    return listing.tools.filter(isTaken).map((tool) => ({ server, tool, plain: plainName(server, tool) }));
  });
  const uses = Map.groupBy(listed, ({ plain }) => plain);
  const offered = new Map<string, OfferedTool>();
  for (const { server, tool, plain } of listed) {
    const isClear = plain.length <= MAX_NAME_CHARS && uses.get(plain)?.length === 1;
    const hash = isClear ? '' : `_${sha256(JSON.stringify([server, tool.name])).slice(0, HASH_CHARS)}`;
    const as = `${plain.slice(0, MAX_NAME_CHARS - hash.length)}${hash}`;
    // A server may list a tool twice, or a tool under the name that another one is given here: the first one keeps it.
    if (!offered.has(as)) offered.set(as, { as, server, tool });
  }
  return [...offered.values()];
}

function plainName(server: string, tool: McpTool): string {
  return `mcp__${server.replaceAll(FOREIGN, '_')}__${tool.name.replaceAll(FOREIGN, '_')}`;
}

/** Whether the provider takes the tool: its name is made here, so only what it says matters. */
export function isTaken({ description, input_schema: schema }: McpTool): boolean {
  if (schema['type'] !== 'object' || !isJsonSchema(schema)) return false;
  if (COMBINATORS.some((key) => Object.hasOwn(schema, key))) return false;
  if (!Object.keys(Object(schema['properties'])).every((name) => ARGUMENT.test(name))) return false;
  return !HALF_A_PAIR.test(JSON.stringify([description, schema]));
}
