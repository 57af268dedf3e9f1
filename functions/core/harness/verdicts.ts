/** May these calls be made? RequestOutcome before they are told, because what a client reads of a call has to be true. */
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ToolRules } from '#core/tools/tool-definitions.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Verdicts } from '#core/session/commands.ts';
import { isComplete } from '#core/session/decide-answer.ts';

/** Of the answer's MCP calls, by the provider's id of each; the others need no verdict. */
export async function verdictsOf(
  { mcp, stamp }: Pick<Ports, 'mcp' | 'stamp'>,
  key: LogKey,
  { answer, rules }: { readonly answer: ModelAnswer; readonly rules: ToolRules },
): Promise<Verdicts> {
  const wanted = answer.blocks.flatMap((block): readonly { providerId: string; call: WantedCall }[] => {
    const rule = rules.get(String(block['name']));
    if (block.type !== 'tool_use' || rule?.kind !== 'mcp' || !isComplete(block, answer)) return [];
    const { server, tool } = rule;
    // A record: the check above has seen it.
    const input = block['input'] as Record<string, unknown>;
    return [{ providerId: String(block['id']), call: { id: stamp.eventId(), server, tool, input } }];
  });
  if (wanted.length === 0) return new Map();
  const calls = wanted.map(({ call }) => call);
  const verdicts = await mcp.judge(key, calls).catch((error: unknown) => unjudged(calls, error));
  return new Map(
    wanted.map(({ providerId, call }) => [providerId, verdicts.find(({ id }) => id === call.id) ?? leftToHand(call)]),
  );
}

/**
 * Without the proxy, which alone knows what the workspace forbids and alone can record a refusal, a call is told as the
 * agent's own policy has it. Nothing is permitted by that: the proxy judges a call again before it makes it, and denies
 * and records there what it would have denied here. To deny it now would be a refusal that is nowhere on record, and to
 * fail the turn would throw away an answer that is paid for.
 */
function unjudged(calls: readonly WantedCall[], error: unknown): readonly McpVerdict[] {
  if (error instanceof Fault && error.code === 'mcp_proxy_unavailable') return calls.map(leftToHand);
  throw error;
}

function leftToHand({ id }: WantedCall): McpVerdict {
  return { id, decision: 'allow', reason: '' };
}
