/** Vaults: the credentials of one user, which are in `credentials.ts`. */
import * as z from 'zod';
import { Instant, VaultId } from './ids.ts';
import { Metadata, MetadataPatch } from './metadata.ts';

const DisplayName = z.string().min(1).max(255);

/** The person a vault belongs to, as the customer's identity provider names them (`sub`). */
export const USER_KEY = 'external_user_id';

/** A user's name is not empty: the metadata of a vault without a user does not have the key. */
function naming<Pairs extends MetadataPatch>(metadata: z.ZodType<Pairs>) {
  return metadata.refine((pairs) => pairs[USER_KEY] !== '', { path: [USER_KEY], error: 'must not be empty' });
}

export const VaultCreate = z
  .strictObject({ display_name: DisplayName, metadata: naming(Metadata).optional() })
  .meta({ id: 'VaultCreate' });
export type VaultCreate = z.infer<typeof VaultCreate>;

export const VaultUpdate = z
  .strictObject({ display_name: DisplayName.nullish(), metadata: naming(MetadataPatch).nullish() })
  .meta({ id: 'VaultUpdate' });
export type VaultUpdate = z.infer<typeof VaultUpdate>;

export const Vault = z
  .object({
    id: VaultId,
    type: z.literal('vault'),
    display_name: z.string(),
    metadata: Metadata,
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Vault' });
export type Vault = z.infer<typeof Vault>;

export const VaultDeleted = z.object({ id: VaultId, type: z.literal('vault_deleted') }).meta({ id: 'VaultDeleted' });
export type VaultDeleted = z.infer<typeof VaultDeleted>;
