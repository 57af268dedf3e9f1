import * as z from 'zod';
import { VaultId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { NoQuery } from '#contract/queries.ts';
import { Vault, VaultCreate, VaultDeleted, VaultUpdate } from '#contract/vaults.ts';
import { isRefusal } from '#core/ports/refusal.ts';
import { archiveVault, deleteVault } from '#core/vault/retire.ts';
import { updateVault } from '#core/vault/update-vault.ts';
import { absent, administered } from '../administered.ts';
import { operation } from '../operation.ts';
import { listRequest, recordPage } from '../record-page.ts';
import { NoBody, NoParams } from './nothing.ts';

const Params = z.object({ vault_id: VaultId });

const target = (action: string, vault: VaultId) =>
  ({ action: `vault.${action}`, vault, credential: null, needs: 'vault_id' }) as const;

const create = operation({
  method: 'POST',
  path: '/v1/vaults',
  summary: 'Create a vault; its metadata.external_user_id names the user for whom sessions with it act',
  params: NoParams,
  query: NoQuery,
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
  method: 'GET',
  path: '/v1/vaults/{vault_id}',
  summary: 'Retrieve a vault',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: Vault,
  async handle(call) {
    const { world, workspace, params } = call;
    const vault = await world.vaults.find(workspace, params.vault_id);
    return vault ?? absent(call, target('retrieve', params.vault_id));
  },
});

const list = operation({
  method: 'GET',
  path: '/v1/vaults',
  summary: 'List vaults, newest first',
  params: NoParams,
  query: ListQuery,
  body: NoBody,
  response: pageOf(Vault),
  async handle({ world, workspace, query }) {
    const request = listRequest('vaults', query, workspace);
    if (isRefusal(request)) return request;
    const found = await world.vaults.list(request);
    const { data, next_page } = recordPage('vaults', request, { found, view: (vault) => vault });
    return { data, next_page };
  },
});

const update = operation({
  method: 'POST',
  path: '/v1/vaults/{vault_id}',
  summary: "Update a vault's name or metadata",
  params: Params,
  query: NoQuery,
  body: VaultUpdate,
  response: Vault,
  async handle(call) {
    const { world, workspace, params, body } = call;
    const id = params.vault_id;
    return administered(call, target('update', id), () => updateVault(world, { workspace, id }, body));
  },
});

const archive = operation({
  method: 'POST',
  path: '/v1/vaults/{vault_id}/archive',
  summary: 'Archive a vault and its credentials, whose secrets are removed for good',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: Vault,
  async handle(call) {
    const { world, workspace, params } = call;
    const id = params.vault_id;
    return administered(call, target('archive', id), () => archiveVault(world, { workspace, id }));
  },
});

const remove = operation({
  method: 'DELETE',
  path: '/v1/vaults/{vault_id}',
  summary: 'Delete a vault with its credentials and their secrets',
  params: Params,
  query: NoQuery,
  body: NoBody,
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
