import * as z from 'zod';
import { VaultId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { Vault, VaultCreate, VaultDeleted, VaultUpdate } from '#contract/vaults.ts';
import { archiveVault, deleteVault } from '#core/vault/retire.ts';
import { updateVault } from '#core/vault/update-vault.ts';
import { absent, administered } from '../administered.ts';
import { operation } from '../operation.ts';
import { forwardPage } from '../record-page.ts';

const Params = z.object({ vault_id: VaultId });

const target = (action: string, vault: VaultId) =>
  ({ action: `vault.${action}`, vault, credential: null, needs: 'vault_id' }) as const;

const create = operation({
  route: 'POST /v1/vaults',
  summary: 'Create a vault; its metadata.external_user_id names the user for whom sessions with it act',
  body: VaultCreate,
  response: Vault,
  async handle(call) {
    const { world, workspace, body } = call;
    const id = VaultId.parse(`vlt_${world.newToken()}`);
    return administered(call, target('create', id), async () => {
      const now = world.stamp.now();
      const marks = { created_at: now, updated_at: now, archived_at: null };
      const told = { display_name: body.display_name, metadata: body.metadata ?? {} };
      const vault: Vault = { id, type: 'vault', ...told, ...marks };
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
  async handle(call) {
    const { world, workspace, params, body } = call;
    const id = params.vault_id;
    return administered(call, target('update', id), () => updateVault(world, { workspace, id }, body));
  },
});

const archive = operation({
  route: 'POST /v1/vaults/{vault_id}/archive',
  summary: 'Archive a vault and its credentials, whose secrets are removed for good',
  params: Params,
  response: Vault,
  async handle(call) {
    const { world, workspace, params } = call;
    const id = params.vault_id;
    return administered(call, target('archive', id), () => archiveVault(world, { workspace, id }));
  },
});

const remove = operation({
  route: 'DELETE /v1/vaults/{vault_id}',
  summary: 'Delete a vault with its credentials and their secrets',
  params: Params,
  response: VaultDeleted,
  async handle(call) {
    const { world, workspace, params } = call;
    const id = params.vault_id;
    return administered(call, target('delete', id), async () => {
      const deleted = await deleteVault(world, { workspace, id });
      return deleted ? { id, type: 'vault_deleted' as const } : null;
    });
  },
});

export const vaultOperations = [create, retrieve, update, list, archive, remove];
