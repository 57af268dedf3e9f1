/** `agent_toolset_20260401`: what a request may say and what a response resolves it to (contract §4.1). */
import * as z from 'zod';
import { SANDBOX_TOOLS } from './hands.ts';

export const TOOLSET_TYPE = 'agent_toolset_20260401';

const NOT_YET = 'is not supported yet: only "always_allow" is';

const PermissionPolicyInput = z
  .strictObject({ type: z.enum(['always_allow', 'always_ask', 'auto']) })
  .refine((policy) => policy.type === 'always_allow', NOT_YET);

export const PermissionPolicy = z.object({ type: z.literal('always_allow') });

/** The web tools exist in the contract and have no executor yet, so they can be named only to be disabled. */
const WEB_TOOLS = ['web_fetch', 'web_search'] as const;
const ToolName = z.enum([...SANDBOX_TOOLS, ...WEB_TOOLS]);
export type ToolName = z.infer<typeof ToolName>;

const ToolConfigInput = z
  .strictObject({
    name: ToolName,
    type: ToolName.optional(),
    enabled: z.boolean().nullish(),
    permission_policy: PermissionPolicyInput.nullish(),
  })
  .refine((config) => config.type === undefined || config.type === config.name, {
    path: ['type'],
    message: 'must equal name',
  })
  .refine((config) => config.enabled === false || !WEB_TOOLS.some((tool) => tool === config.name), {
    path: ['name'],
    message: 'web_fetch and web_search are not supported yet: set enabled to false or leave them out',
  });

export const ToolsetInput = z
  .strictObject({
    type: z.literal(TOOLSET_TYPE),
    default_config: z
      .strictObject({ enabled: z.boolean().nullish(), permission_policy: PermissionPolicyInput.nullish() })
      .nullish(),
    configs: z.array(ToolConfigInput).max(ToolName.options.length).default([]),
  })
  .refine((toolset) => new Set(toolset.configs.map((config) => config.name)).size === toolset.configs.length, {
    path: ['configs'],
    message: 'must name each tool once',
  })
  .meta({ id: 'ToolsetInput' });
export type ToolsetInput = z.infer<typeof ToolsetInput>;

export const Toolset = z
  .object({
    type: z.literal(TOOLSET_TYPE),
    default_config: z.object({ enabled: z.boolean(), permission_policy: PermissionPolicy }),
    configs: z.array(
      z.object({ type: ToolName, name: ToolName, enabled: z.boolean(), permission_policy: PermissionPolicy }),
    ),
  })
  .meta({ id: 'Toolset' });
export type Toolset = z.infer<typeof Toolset>;
