/** What a client sends of a credential, apart: what may be told, what is secret, and what is unique in the vault. */
import type { Instant } from '#contract/ids.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import type { CredentialCreate, EnvironmentVariableCreate, McpOAuthCreate } from '#contract/credential-requests.ts';
import type { CredentialAuth } from '#contract/credentials.ts';
import { judgeUrl } from '#core/outbound/destination.ts';
import { instantOf } from '#core/ports/stamp.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import type { SecretValues } from '#core/ports/secrets.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

export interface Separated {
  readonly auth: CredentialAuth;
  readonly values: SecretValues;
  /** See `CredentialRecords.create`. */
  readonly key: string;
  /** What the client calls the key. */
  readonly keyField: 'mcp_server_url' | 'secret_name';
}

/** What inputs are judged by. */
export interface Rules {
  readonly now: Instant;
  /** Servers of the customer's own that may be reached although they are not public. */
  readonly allow: AllowedHosts;
}

export function separateAuth(input: CredentialCreate['auth'], rules: Rules): Separated | RequestRefusal {
  switch (input.type) {
    case 'mcp_oauth': {
      const auth = publicOAuth(input, rules);
      return isRefusal(auth) ? auth : ofServer(auth, oauthSecrets(input), rules);
    }
    case 'static_bearer': {
      const { type, mcp_server_url, token } = input;
      return ofServer({ type, mcp_server_url }, { token }, rules);
    }
    case 'environment_variable': {
      const auth = publicVariable(input);
      if (isRefusal(auth)) return auth;
      const { secret_name: key, secret_value } = input;
      return { auth, values: { secret_value }, key, keyField: 'secret_name' };
    }
    default:
      return input satisfies never;
  }
}

function ofServer(
  auth: Extract<CredentialAuth, { mcp_server_url: string }>,
  values: SecretValues,
  { allow }: Rules,
): Separated | RequestRefusal {
  const key = canonicalServerUrl(auth.mcp_server_url);
  const refused = refusedUrl('auth.mcp_server_url', auth.mcp_server_url, allow);
  if (refused !== null) return refused;
  if (key === null) return refuse('invalid_request_error', 'auth.mcp_server_url: must be an http or https URL');
  return { auth, values, key, keyField: 'mcp_server_url' };
}

function oauthSecrets({ access_token, refresh }: McpOAuthCreate): SecretValues {
  if (refresh == null) return { access_token };
  const { refresh_token, token_endpoint_auth: endpoint } = refresh;
  const tokens = { access_token, refresh_token };
  return endpoint.type === 'none' ? tokens : { ...tokens, client_secret: endpoint.client_secret };
}

function publicOAuth(input: McpOAuthCreate, { now, allow }: Rules) {
  const { type, mcp_server_url, refresh } = input;
  const expires_at = futureInstant(input.expires_at ?? null, now);
  if (isRefusal(expires_at)) return expires_at;
  if (refresh == null) return { type, mcp_server_url, expires_at, refresh: null };
  const { client_id, token_endpoint, token_endpoint_auth, resource, scope } = refresh;
  const refused = refusedUrl('auth.refresh.token_endpoint', token_endpoint, allow);
  if (refused !== null) return refused;
  return {
    type,
    mcp_server_url,
    expires_at,
    refresh: {
      client_id,
      token_endpoint,
      token_endpoint_auth: { type: token_endpoint_auth.type },
      resource: resource ?? null,
      scope: scopeOf(scope ?? ''),
    },
  };
}

/** No scope is asked for by leaving it out. */
export function scopeOf(text: string): string | null {
  return text === '' ? null : text;
}

export function futureInstant(text: string | null, now: Instant): Instant | null | RequestRefusal {
  if (text === null) return null;
  const instant = instantOf(text);
  return instant > now ? instant : refuse('invalid_request_error', 'auth.expires_at: must be in the future');
}

/** Everywhere unless it is said where; then what is not said is left out. */
function publicVariable({ type, secret_name, networking, injection_location: given }: EnvironmentVariableCreate) {
  const location =
    given === undefined ? { header: true, body: true } : { header: given.header ?? false, body: given.body ?? false };
  return refusedLocation(location) ?? { type, secret_name, networking, injection_location: location };
}

export function refusedLocation(location: { readonly header: boolean; readonly body: boolean }): RequestRefusal | null {
  return location.header || location.body
    ? null
    : refuse('invalid_request_error', 'auth.injection_location: header or body must be true');
}

/** Judged when it is saved, so that its author hears of it, and again whenever it is asked. */
function refusedUrl(field: string, url: string, allow: AllowedHosts): RequestRefusal | null {
  const judged = judgeUrl(url, allow);
  return judged.status === 'judged' ? null : refuse('invalid_request_error', `${field}: ${judged.rule}`);
}
