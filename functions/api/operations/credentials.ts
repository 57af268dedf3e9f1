import * as z from 'zod';
import { CredentialId, VaultId, type WorkspaceId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { NoQuery } from '#contract/queries.ts';
import { CredentialCreate, CredentialUpdate } from '#contract/credential-requests.ts';
import { CredentialValidation } from '#contract/credential-validation.ts';
import { Credential, CredentialDeleted } from '#contract/credentials.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import { createCredential } from '#core/vault/create-credential.ts';
import { archiveCredential, deleteCredential } from '#core/vault/retire.ts';
import { updateCredential } from '#core/vault/update-credential.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import { absent, administered } from '../administered.ts';
import type { ApiWorld } from '../api-world.ts';
import { operation } from '../operation.ts';
import { listRequest, recordPage } from '../record-page.ts';
import { NoBody } from './nothing.ts';

const VaultParams = z.object({ vault_id: VaultId });
const Params = z.object({ vault_id: VaultId, credential_id: CredentialId });

const placeOf = (workspace: WorkspaceId, params: z.infer<typeof Params>): CredentialPlace => ({
  workspace,
  vault: params.vault_id,
  credential: params.credential_id,
});

const target = (action: string, { vault_id: vault, credential_id: credential }: z.infer<typeof Params>) =>
  ({ action: `credential.${action}`, vault, credential, needs: 'credential_id' }) as const;

const create = operation({
  method: 'POST',
  path: '/v1/vaults/{vault_id}/credentials',
  summary: 'Create a credential; its secrets are stored and never told again',
  params: VaultParams,
  query: NoQuery,
  body: CredentialCreate,
  response: Credential,
  async handle(call) {
    const { world, workspace, params, body } = call;
    const made = { ...params, credential_id: CredentialId.parse(`vcrd_${world.newToken()}`) };
    return administered(call, { ...target('create', made), needs: 'vault_id' }, () =>
      createCredential(world, placeOf(workspace, made), body),
    );
  },
});

const retrieve = operation({
  method: 'GET',
  path: '/v1/vaults/{vault_id}/credentials/{credential_id}',
  summary: 'Retrieve a credential, without its secrets',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: Credential,
  async handle(call) {
    const { world, workspace, params } = call;
    const stored = await world.credentials.find(placeOf(workspace, params));
    return stored?.credential ?? absent(call, target('retrieve', params));
  },
});

const list = operation({
  method: 'GET',
  path: '/v1/vaults/{vault_id}/credentials',
  summary: "List a vault's credentials, newest first, without their secrets",
  params: VaultParams,
  query: ListQuery,
  body: NoBody,
  response: pageOf(Credential),
  async handle(call) {
    const { world, workspace, params, query } = call;
    const vault = params.vault_id;
    const request = listRequest('credentials', query, workspace);
    if (isRefusal(request)) return request;
    const [owner, found] = await Promise.all([
      world.vaults.find(workspace, vault),
      world.credentials.list(vault, request),
    ]);
    if (owner === null) return absent(call, { action: 'credential.list', vault, credential: null, needs: 'vault_id' });
    const { data, next_page } = recordPage('credentials', request, { found, view: (credential) => credential });
    return { data, next_page };
  },
});

const update = operation({
  method: 'POST',
  path: '/v1/vaults/{vault_id}/credentials/{credential_id}',
  summary: 'Update a credential: new secrets take the place of the old ones, one by one',
  params: Params,
  query: NoQuery,
  body: CredentialUpdate,
  response: Credential,
  async handle(call) {
    const { world, workspace, params, body } = call;
    return administered(call, target('update', params), () =>
      updateCredential(world, placeOf(workspace, params), body),
    );
  },
});

const archive = operation({
  method: 'POST',
  path: '/v1/vaults/{vault_id}/credentials/{credential_id}/archive',
  summary: 'Archive a credential: its secrets are removed for good, and its key is free again',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: Credential,
  async handle(call) {
    const { world, workspace, params } = call;
    return administered(call, target('archive', params), () => archiveCredential(world, placeOf(workspace, params)));
  },
});

const remove = operation({
  method: 'DELETE',
  path: '/v1/vaults/{vault_id}/credentials/{credential_id}',
  summary: 'Delete a credential and its secrets',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: CredentialDeleted,
  async handle(call) {
    const { world, workspace, params } = call;
    return administered(call, target('delete', params), async () => {
      const deleted = await deleteCredential(world, placeOf(workspace, params));
      return deleted ? { id: params.credential_id, type: 'vault_credential_deleted' as const } : null;
    });
  },
});

const validate = operation({
  method: 'POST',
  path: '/v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate',
  summary: 'Try an mcp_oauth credential at its server, and refresh it once if the server refuses it',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: CredentialValidation,
  async handle(call) {
    const { world, workspace, params } = call;
    // It acts at the server with the user's token, and may put a new one in its place.
    return administered(call, target('mcp_oauth_validate', params), () => tried(world, placeOf(workspace, params)));
  },
});

async function tried(
  { credentials, trial }: Pick<ApiWorld, 'credentials' | 'trial'>,
  place: CredentialPlace,
): Promise<CredentialValidation | RequestRefusal | null> {
  const stored = await credentials.find(place);
  if (stored === null) return null;
  const { auth, archived_at } = stored.credential;
  if (auth.type !== 'mcp_oauth') {
    return refuse(
      'invalid_request_error',
      `credential_id: must be an mcp_oauth credential, and is of type ${auth.type}`,
    );
  }
  if (archived_at !== null) return refuse('invalid_request_error', 'credential_id: is archived');
  return trial.validate(place);
}

export const credentialOperations = [create, retrieve, update, list, archive, remove, validate];
