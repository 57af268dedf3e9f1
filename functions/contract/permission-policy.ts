/** What an agent's owner wants done before a tool is used. */
import * as z from 'zod';

const Policy = z.enum(['always_allow', 'always_ask', 'auto']);
export const PermissionPolicyInput = z.strictObject({ type: Policy });

export const PermissionPolicy = z.object({ type: Policy }).meta({ id: 'PermissionPolicy' });
export type PermissionPolicy = z.infer<typeof PermissionPolicy>;
