/** What an agent's toolsets say about each tool: which hand makes its calls, and whether somebody is asked before. */
import type { SessionAgent } from '#contract/agents.ts';
import type { PermissionPolicy } from '#contract/permission-policy.ts';
import { effectiveConfig } from '#core/agents/effective-config.ts';
import { enabledTools } from '#core/hands/tool-definitions.ts';

/** `built-in` tools are ours to make; a `custom` one is the client's to answer, whatever the policies say. */
export type ToolRule =
  | { readonly kind: 'built-in'; readonly policy: PermissionPolicy['type'] }
  | { readonly kind: 'custom' };

/** The enabled tools by name; a call of any other is denied. */
export type ToolRules = ReadonlyMap<string, ToolRule>;

export function toolRules(agent: SessionAgent): ToolRules {
  const builtIn = enabledTools(agent).map((name): [string, ToolRule] => {
    const policy = effectiveConfig(agent.tools, name)?.permission_policy.type ?? 'always_allow';
    return [name, { kind: 'built-in', policy }];
  });
  const custom = agent.tools.flatMap((tool): readonly [string, ToolRule][] =>
    tool.type === 'custom' ? [[tool.name, { kind: 'custom' }]] : [],
  );
  return new Map([...builtIn, ...custom]);
}
