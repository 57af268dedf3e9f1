/** A workspace's policies: which agent may call which MCP tool, for which user, with what. The hosted API has none. */
import * as z from 'zod';
import { Instant } from './ids.ts';

/** In UTF-8. */
const MAX_POLICY_BYTES = 100 * 1024;

const POLICIES_TOO_LARGE = `must have at most ${MAX_POLICY_BYTES} bytes`;

/** `shadow` decides nothing: the audit trail tells what would have been decided. */
export const PolicyMode = z.enum(['shadow', 'enforce']);
/** What becomes of a call that no policy speaks of. */
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
    /** The version that this one is to follow; 0 for the first. Without it, whichever is the latest. */
    if_version: z.int().min(0).optional(),
  })
  .meta({ id: 'PolicyCreate' });
export type PolicyCreate = z.infer<typeof PolicyCreate>;

/** The version in force, small because each function that judges calls reads it every few seconds. */
export const PolicyPointer = z.object({
  version: z.int().min(1),
  mode: PolicyMode,
  default: PolicyDefault,
  /** Of what decides: default and policies, as canonical JSON. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  created_at: Instant,
});
export type PolicyPointer = z.infer<typeof PolicyPointer>;

export const WorkspacePolicy = z
  .object({ type: z.literal('policy'), ...PolicyPointer.shape, policies: z.string() })
  .meta({ id: 'WorkspacePolicy' });
export type WorkspacePolicy = z.infer<typeof WorkspacePolicy>;

/** Before anybody has saved one, every call is permitted that the agent's own permission policies permit. */
export const CurrentPolicy = z
  .object({ ...WorkspacePolicy.shape, version: z.int().min(0), created_at: Instant.nullable() })
  .meta({ id: 'CurrentPolicy' });

export const SavedPolicy = z
  .object({
    ...WorkspacePolicy.shape,
    /** Policies that name tools which no agent has met: their types are checked only when the tools are called. */
    unchecked: z.array(z.object({ policy: z.string(), actions: z.array(z.string()) })),
  })
  .meta({ id: 'SavedPolicy' });
export type SavedPolicy = z.infer<typeof SavedPolicy>;
