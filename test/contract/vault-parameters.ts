/** Every parameter that the SDK's types have for the operations on vaults and credentials. */
import type {
  BetaManagedAgentsEnvironmentVariableCreateParams as VariableCreate,
  BetaManagedAgentsEnvironmentVariableUpdateParams as VariableUpdate,
  BetaManagedAgentsMCPOAuthCreateParams as OAuthCreate,
  BetaManagedAgentsMCPOAuthUpdateParams as OAuthUpdate,
  BetaManagedAgentsStaticBearerCreateParams as BearerCreate,
  CredentialCreateParams,
  CredentialListParams,
  CredentialUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/vaults/credentials';
import type {
  VaultCreateParams,
  VaultListParams,
  VaultUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/vaults/vaults';
import { FUTURE, type Everything } from './core-parameters.ts';

export const VAULT: Everything<VaultCreateParams> = {
  display_name: 'keys',
  metadata: { external_user_id: 'ada', team: 'a' },
};
export const VAULT_UPDATE: Everything<VaultUpdateParams> = {
  display_name: 'more keys',
  metadata: { team: null, floor: '7' },
};
const MCP_URL = 'https://mcp.example.com/mcp';
export const BEARER: Required<BearerCreate> = { type: 'static_bearer', mcp_server_url: MCP_URL, token: 'bearer' };
const OAUTH: Required<OAuthCreate> = {
  type: 'mcp_oauth',
  mcp_server_url: MCP_URL,
  access_token: 'access',
  expires_at: FUTURE,
  refresh: {
    client_id: 'client',
    token_endpoint: 'https://auth.example.com/token',
    refresh_token: 'refresh',
    token_endpoint_auth: { type: 'client_secret_post', client_secret: 'secret' },
    resource: MCP_URL,
    scope: 'read',
  },
};
const OAUTH_UPDATE: Required<OAuthUpdate> = {
  type: 'mcp_oauth',
  access_token: 'access two',
  expires_at: FUTURE,
  refresh: {
    refresh_token: 'refresh two',
    scope: '',
    token_endpoint_auth: { type: 'client_secret_basic', client_secret: 'secret two' },
  },
};
export const VARIABLE: Required<VariableCreate> = {
  type: 'environment_variable',
  secret_name: 'API_KEY',
  secret_value: 'value',
  networking: { type: 'limited', allowed_hosts: ['api.example.com', '192.0.2.1', '*.example.org'] },
  injection_location: { header: true, body: false },
};
export const VARIABLE_UPDATE: Required<VariableUpdate> = {
  type: 'environment_variable',
  secret_value: 'value two',
  networking: { type: 'unrestricted' },
  injection_location: { body: true, header: false },
};
export const CREDENTIAL: Everything<CredentialCreateParams> = {
  auth: OAUTH,
  display_name: 'A key',
  metadata: { team: 'a' },
};
export const CREDENTIAL_UPDATE: Everything<CredentialUpdateParams, 'vault_id'> = {
  auth: OAUTH_UPDATE,
  display_name: 'Another key',
  metadata: { team: null, floor: '7' },
};
export const VAULTS: Everything<VaultListParams, 'page'> & Everything<CredentialListParams, 'page'> = {
  include_archived: true,
  limit: 1,
};
