import { betaAgentToolset20260401 } from '@anthropic-ai/sdk/tools/agent-toolset/node';
import { describe, expect, it } from 'vitest';
import { enabledTools, toolDefinitions } from '#core/tools/tool-definitions.ts';
import { AGENT } from '#test/functions/core/given.ts';

const POLICY = { type: 'always_allow' } as const;

describe('the tools that the model is offered', () => {
  it('have the schemas that the sandbox executes', () => {
    const executed = betaAgentToolset20260401({ workdir: '/tmp' }).map((tool) => ({
      name: 'name' in tool ? tool.name : '',
      description: 'description' in tool ? tool.description : '',
      input_schema: 'input_schema' in tool ? tool.input_schema : {},
    }));
    expect(toolDefinitions(AGENT, [])).toEqual(executed);
  });

  it('follow the toolset, where an entry overrides the default', () => {
    const tools = [
      {
        type: 'agent_toolset_20260401' as const,
        default_config: { enabled: false, permission_policy: POLICY },
        configs: [{ type: 'read' as const, name: 'read' as const, enabled: true, permission_policy: POLICY }],
      },
    ];
    expect(enabledTools({ ...AGENT, tools })).toEqual(['read']);
    expect(enabledTools({ ...AGENT, tools: [] })).toEqual([]);
  });
});
