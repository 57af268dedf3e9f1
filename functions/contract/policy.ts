/** A workspace's policies (not in the hosted API): which agent may call which MCP tool, for which user, with what input. */
import * as z from 'zod';
import { Instant } from './ids.ts';

/** In UTF-8. */
const MAX_POLICY_BYTES = 100 * 1024;

const POLICIES_TOO_LARGE = `must have at most ${MAX_POLICY_BYTES} bytes`;

/** With `shadow` policies decide nothing: the audit trail records what they would decide. */
export const PolicyMode = z.enum(['shadow', 'enforce']);
/** The decision on a call to which no policy applies. */
export const PolicyDefault = z.enum(['permit', 'deny']);

export const PolicyCreate = z
  .strictObject({
    /** Cedar. Empty for a default without exceptions. */
    policies: z
      .string()
      .refine((text) => new TextEncoder().encode(text).length <= MAX_POLICY_BYTES, POLICIES_TOO_LARGE)
      .refine((text) => text.isWellFormed(), 'must be well-formed text'),
    mode: PolicyMode,
    default: PolicyDefault.default('permit'),
    /** The version that must be the latest when this one is saved; 0 for none. Absent: any version may be. */
    if_version: z.int().min(0).optional(),
  })
  .meta({ id: 'PolicyCreate' });
export type PolicyCreate = z.infer<typeof PolicyCreate>;

/** The version in force. It is small, because each function that judges calls reads it every few seconds. */
export const PolicyPointer = z.object({
  version: z.int().min(1),
  mode: PolicyMode,
  default: PolicyDefault,
  /** Hash of default and policies as canonical JSON. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  created_at: Instant,
});
export type PolicyPointer = z.infer<typeof PolicyPointer>;

export const WorkspacePolicy = z
  .object({ type: z.literal('policy'), ...PolicyPointer.shape, policies: z.string() })
  .meta({ id: 'WorkspacePolicy' });
export type WorkspacePolicy = z.infer<typeof WorkspacePolicy>;

/** A workspace that has saved none permits each call that the agent's own permission policies permit. */
export const CurrentPolicy = z
  .object({ ...WorkspacePolicy.shape, version: z.int().min(0), created_at: Instant.nullable() })
  .meta({ id: 'CurrentPolicy' });

export const SavedPolicy = z
  .object({
    ...WorkspacePolicy.shape,
    /** Policies that name tools which no agent has used: their types are checked only when the tools are called. */
    unchecked: z.array(z.object({ policy: z.string(), actions: z.array(z.string()) })),
  })
  .meta({ id: 'SavedPolicy' });
export type SavedPolicy = z.infer<typeof SavedPolicy>;
