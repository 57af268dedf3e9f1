/** Vaults and credentials for the tests of their ports. */
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Credential, CredentialAuth } from '#contract/credentials.ts';
import { USER_KEY, type Vault } from '#contract/vaults.ts';
import type { NewCredential } from '#core/ports/vault-records.ts';
import { newToken } from '#aws/stamp.ts';

export const WORKSPACE = WorkspaceId.parse('wrkspc_1');
export const STRANGER = WorkspaceId.parse('wrkspc_2');
export const AT = '2026-11-21T10:00:00.000Z';
export const LATER = '2026-11-21T11:00:00.000Z';
export const SERVER = 'https://mcp.example.com/mcp';

/** A vault of a user, or without a user. */
export function aVault(user?: string): Vault {
  const id = VaultId.parse(`vlt_${newToken()}`);
  const marks = { created_at: AT, updated_at: AT, archived_at: null };
  return {
    id,
    type: 'vault',
    display_name: 'keys',
    metadata: user === undefined ? {} : { [USER_KEY]: user },
    ...marks,
  };
}

export const OAUTH: CredentialAuth = {
  type: 'mcp_oauth',
  mcp_server_url: SERVER,
  expires_at: LATER,
  refresh: {
    client_id: 'client',
    token_endpoint: 'https://auth.example.com/token',
    token_endpoint_auth: { type: 'none' },
    resource: null,
    scope: null,
  },
};

export function aCredential(vault: VaultId, auth: CredentialAuth = OAUTH): NewCredential {
  const credential: Credential = {
    id: CredentialId.parse(`vcrd_${newToken()}`),
    type: 'vault_credential',
    vault_id: vault,
    display_name: null,
    auth,
    metadata: {},
    created_at: AT,
    updated_at: AT,
    archived_at: null,
  };
  const secrets = { access_token: 'sm:1', refresh_token: 'sm:1' };
  return { workspace: WORKSPACE, credential, secrets, grantedScopes: ['read'], issuer: 'https://auth.example.com' };
}

/** A new credential as it is saved. */
export function asNew(created: NewCredential) {
  return { ...created, version: 1, state: 'ok', lease: null, cooldownUntil: null, failures: 0 };
}
