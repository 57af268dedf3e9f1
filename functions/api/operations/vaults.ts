import * as z from 'zod';
import { VaultId, type WorkspaceId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { Vault, VaultCreate, VaultDeleted, VaultUpdate } from '#contract/vaults.ts';
import type { RequestRefusal } from '#core/ports/errors.ts';
import { archiveVault, deleteVault } from '#core/vault/retire.ts';
import { updateVault } from '#core/vault/update-vault.ts';
import { absent, administered } from '../administered.ts';
import { operation, type Call } from '../operation.ts';
import { forwardPage } from '../record-page.ts';

const Params = z.object({ vault_id: VaultId });

type VaultCall = Pick<Call<z.infer<typeof Params>, unknown, unknown>, 'world' | 'workspace' | 'apiKey' | 'params'>;

const target = (action: string, vault: VaultId) =>
  ({ action: `vault.${action}`, vault, credential: null, needs: 'vault_id' }) as const;

/** Acts on the vault that the request names. */
function administeredAt<Done>(
  call: VaultCall,
  action: string,
  act: (place: { readonly workspace: WorkspaceId; readonly id: VaultId }) => Promise<Done | RequestRefusal | null>,
): Promise<Done | RequestRefusal> {
  const { workspace, params } = call;
  return administered(call, target(action, params.vault_id), () => act({ workspace, id: params.vault_id }));
}

const create = operation({
  route: 'POST /v1/vaults',
  summary: 'Create a vault; its metadata.external_user_id names the user that sessions with it act for',
  body: VaultCreate,
  response: Vault,
  handle(call) {
    const { world, workspace, body } = call;
    const id = VaultId.parse(`vlt_${world.newToken()}`);
    return administered(call, target('create', id), async () => {
      const now = world.stamp.now();
      const marks = { created_at: now, updated_at: now, archived_at: null };
      const { display_name, metadata = {} } = body;
      const vault: Vault = { id, type: 'vault', display_name, metadata, ...marks };
      await world.vaults.create(workspace, vault);
      return vault;
    });
  },
});

const retrieve = operation({
  route: 'GET /v1/vaults/{vault_id}',
  summary: 'Retrieve a vault',
  params: Params,
  response: Vault,
  async handle(call) {
    const { world, workspace, params } = call;
    const vault = await world.vaults.find(workspace, params.vault_id);
    return vault ?? absent(call, target('retrieve', params.vault_id));
  },
});

const list = operation({
  route: 'GET /v1/vaults',
  summary: 'List vaults, newest first',
  query: ListQuery,
  response: pageOf(Vault),
  handle: (call) => forwardPage('vaults', call, (request) => call.world.vaults.list(request)),
});

const update = operation({
  route: 'POST /v1/vaults/{vault_id}',
  summary: "Update a vault's name or metadata",
  params: Params,
  body: VaultUpdate,
  response: Vault,
  handle: (call) => administeredAt(call, 'update', (place) => updateVault(call.world, place, call.body)),
});

const archive = operation({
  route: 'POST /v1/vaults/{vault_id}/archive',
  summary: 'Archive a vault and its credentials, and remove their secrets for good',
  params: Params,
  response: Vault,
  handle: (call) => administeredAt(call, 'archive', (place) => archiveVault(call.world, place)),
});

const remove = operation({
  route: 'DELETE /v1/vaults/{vault_id}',
  summary: 'Delete a vault with its credentials and their secrets',
  params: Params,
  response: VaultDeleted,
  handle: (call) =>
    administeredAt(call, 'delete', async (place) => {
      const deleted = await deleteVault(call.world, place);
      return deleted ? { id: place.id, type: 'vault_deleted' as const } : null;
    }),
});

export const vaultOperations = [create, retrieve, update, list, archive, remove];
