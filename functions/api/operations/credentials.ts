import * as z from 'zod';
import { CredentialId, VaultId } from '#contract/ids.ts';
import { ListQuery, pageOf } from '#contract/pages.ts';
import { CredentialCreate, CredentialUpdate } from '#contract/credential-requests.ts';
import { CredentialValidation } from '#contract/credential-validation.ts';
import { Credential, CredentialDeleted } from '#contract/credentials.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { createCredential } from '#core/vault/create-credential.ts';
import { archiveCredential, deleteCredential } from '#core/vault/retire.ts';
import { updateCredential } from '#core/vault/update-credential.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import { absent, administered } from '../administered.ts';
import type { ApiWorld } from '../api-world.ts';
import { operation, type Call } from '../operation.ts';
import { forwardPage } from '../record-page.ts';

const VaultParams = z.object({ vault_id: VaultId });
const Params = z.object({ vault_id: VaultId, credential_id: CredentialId });

type CredentialCall = Pick<Call<z.infer<typeof Params>, unknown, unknown>, 'world' | 'workspace' | 'apiKey' | 'params'>;

const placeIn = ({ workspace, params }: Pick<CredentialCall, 'workspace' | 'params'>): CredentialPlace => ({
  workspace,
  vault: params.vault_id,
  credential: params.credential_id,
});

const target = (action: string, { vault, credential }: CredentialPlace) =>
  ({ action: `credential.${action}`, vault, credential, needs: 'credential_id' }) as const;

/** Acts on the credential that the request names. */
function administeredAt<Done>(
  call: CredentialCall,
  action: string,
  act: (place: CredentialPlace) => Promise<Done | RequestRefusal | null>,
): Promise<Done | RequestRefusal> {
  const place = placeIn(call);
  return administered(call, target(action, place), () => act(place));
}

const create = operation({
  route: 'POST /v1/vaults/{vault_id}/credentials',
  summary: 'Create a credential; its secrets are stored and never returned',
  params: VaultParams,
  body: CredentialCreate,
  response: Credential,
  handle(call) {
    const { world, workspace, params, body } = call;
    const credential_id = CredentialId.parse(`vcrd_${world.newToken()}`);
    const place = placeIn({ workspace, params: { ...params, credential_id } });
    const created = { ...target('create', place), needs: 'vault_id' as const };
    return administered(call, created, () => createCredential(world, place, body));
  },
});

const retrieve = operation({
  route: 'GET /v1/vaults/{vault_id}/credentials/{credential_id}',
  summary: 'Retrieve a credential, without its secrets',
  params: Params,
  response: Credential,
  async handle(call) {
    const place = placeIn(call);
    const stored = await call.world.credentials.find(place);
    return stored?.credential ?? absent(call, target('retrieve', place));
  },
});

const list = operation({
  route: 'GET /v1/vaults/{vault_id}/credentials',
  summary: "List a vault's credentials, newest first, without their secrets",
  params: VaultParams,
  query: ListQuery,
  response: pageOf(Credential),
  async handle(call) {
    const { world, workspace, params } = call;
    const vault = params.vault_id;
    const [owner, page] = await Promise.all([
      world.vaults.find(workspace, vault),
      forwardPage('credentials', call, (request) => world.credentials.list(vault, request)),
    ]);
    if (owner !== null || isRefusal(page)) return page;
    return absent(call, { action: 'credential.list', vault, credential: null, needs: 'vault_id' });
  },
});

const update = operation({
  route: 'POST /v1/vaults/{vault_id}/credentials/{credential_id}',
  summary: 'Update a credential: new secrets take the place of the old ones, one by one',
  params: Params,
  body: CredentialUpdate,
  response: Credential,
  handle: (call) => administeredAt(call, 'update', (place) => updateCredential(call.world, place, call.body)),
});

const archive = operation({
  route: 'POST /v1/vaults/{vault_id}/credentials/{credential_id}/archive',
  summary: 'Archive a credential: its secrets are removed for good, and its key is free again',
  params: Params,
  response: Credential,
  handle: (call) => administeredAt(call, 'archive', (place) => archiveCredential(call.world, place)),
});

const remove = operation({
  route: 'DELETE /v1/vaults/{vault_id}/credentials/{credential_id}',
  summary: 'Delete a credential and its secrets',
  params: Params,
  response: CredentialDeleted,
  handle: (call) =>
    administeredAt(call, 'delete', async (place) => {
      const deleted = await deleteCredential(call.world, place);
      return deleted ? { id: place.credential, type: 'vault_credential_deleted' as const } : null;
    }),
});

const validate = operation({
  route: 'POST /v1/vaults/{vault_id}/credentials/{credential_id}/mcp_oauth_validate',
  summary: 'Try an mcp_oauth credential at its server, and refresh it once if the server refuses it',
  params: Params,
  response: CredentialValidation,
  // The trial acts at the server with the user's token and may replace the token, so the audit trail has it.
  handle: (call) => administeredAt(call, 'mcp_oauth_validate', (place) => validated(call.world, place)),
});

async function validated(
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
