/** The auth of a credential, as clients send it: its public part, its secrets, and the key that is unique in the vault. */
import type {
  CredentialCreate,
  CredentialUpdate,
  EnvironmentVariableCreate,
  McpOAuthCreate,
} from '#contract/credential-requests.ts';
import type { CredentialAuth } from '#contract/credentials.ts';
import type { Instant } from '#contract/ids.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import { judgeUrl } from '#core/outbound/destination.ts';
import { instantOf } from '#core/ports/stamp.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { SecretValues } from '#core/ports/secrets.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

type AuthUpdate = NonNullable<CredentialUpdate['auth']>;
type Of<Union, Type> = Extract<Union, { type: Type }>;

/** What inputs are judged by. */
export interface AuthRules {
  readonly now: Instant;
  /** Servers of the customer's own, which credentials may be for although they are not public. */
  readonly allow: AllowedHosts;
}

interface ChangedAuth {
  readonly auth: CredentialAuth;
  /** Of an update, the new ones only. */
  readonly values: SecretValues;
}

export interface SeparatedAuth extends ChangedAuth {
  /** See `CredentialRecords.create`. */
  readonly key: string;
  /** The client's name for the key. */
  readonly keyField: 'mcp_server_url' | 'secret_name';
}

export function separateAuth(input: CredentialCreate['auth'], rules: AuthRules): SeparatedAuth | RequestRefusal {
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

export function changeAuth(
  saved: CredentialAuth,
  update: AuthUpdate | undefined,
  rules: AuthRules,
): ChangedAuth | RequestRefusal {
  if (update === undefined) return { auth: saved, values: {} };
  if (saved.type === 'mcp_oauth' && update.type === 'mcp_oauth') return changeOAuth(saved, update, rules);
  if (saved.type === 'static_bearer' && update.type === 'static_bearer') {
    return { auth: saved, values: given({ token: update.token }) };
  }
  if (saved.type === 'environment_variable' && update.type === 'environment_variable') {
    return changeVariable(saved, update);
  }
  return refuse('invalid_request_error', `auth.type: stays "${saved.type}"`);
}

function ofServer(
  auth: Extract<CredentialAuth, { mcp_server_url: string }>,
  values: SecretValues,
  { allow }: AuthRules,
): SeparatedAuth | RequestRefusal {
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

function publicOAuth(input: McpOAuthCreate, { now, allow }: AuthRules) {
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

function changeOAuth(
  saved: Of<CredentialAuth, 'mcp_oauth'>,
  update: Of<AuthUpdate, 'mcp_oauth'>,
  { now }: AuthRules,
): ChangedAuth | RequestRefusal {
  const expires_at = update.expires_at === undefined ? saved.expires_at : futureInstant(update.expires_at, now);
  if (isRefusal(expires_at)) return expires_at;
  const refresh = changeRefresh(saved.refresh, update.refresh ?? {});
  if (isRefusal(refresh)) return refresh;
  return {
    auth: { ...saved, expires_at, refresh },
    values: given({
      access_token: update.access_token,
      refresh_token: update.refresh?.refresh_token,
      client_secret: update.refresh?.token_endpoint_auth?.client_secret,
    }),
  };
}

/** The way in which the client authenticates stays, also when a new secret comes with another type. */
function changeRefresh(
  saved: Of<CredentialAuth, 'mcp_oauth'>['refresh'],
  { refresh_token, scope, token_endpoint_auth: endpoint }: NonNullable<Of<AuthUpdate, 'mcp_oauth'>['refresh']>,
): Of<CredentialAuth, 'mcp_oauth'>['refresh'] | RequestRefusal {
  const changesNothing = refresh_token == null && scope == null && endpoint?.client_secret == null;
  if (changesNothing) return saved;
  if (saved === null) return refuse('invalid_request_error', 'auth.refresh: the credential was created without it');
  if (endpoint?.client_secret != null && saved.token_endpoint_auth.type === 'none') {
    const field = 'auth.refresh.token_endpoint_auth.client_secret';
    return refuse('invalid_request_error', `${field}: the credential's token_endpoint_auth stays of type "none"`);
  }
  return scope == null ? saved : { ...saved, scope: scopeOf(scope) };
}

/** An empty scope is stored as null, and the refresh then asks for none. */
function scopeOf(text: string): string | null {
  return text === '' ? null : text;
}

function futureInstant(text: string | null, now: Instant): Instant | null | RequestRefusal {
  if (text === null) return null;
  const instant = instantOf(text);
  return instant > now ? instant : refuse('invalid_request_error', 'auth.expires_at: must be in the future');
}

/** Without a location the secret is injected everywhere; with one, only where the location says so. */
function publicVariable({ type, secret_name, networking, injection_location: given }: EnvironmentVariableCreate) {
  const location =
    given === undefined ? { header: true, body: true } : { header: given.header ?? false, body: given.body ?? false };
  return refusedLocation(location) ?? { type, secret_name, networking, injection_location: location };
}

function changeVariable(
  saved: Of<CredentialAuth, 'environment_variable'>,
  update: Of<AuthUpdate, 'environment_variable'>,
): ChangedAuth | RequestRefusal {
  const { header, body } = update.injection_location ?? {};
  const location = {
    header: header ?? saved.injection_location.header,
    body: body ?? saved.injection_location.body,
  };
  const networking = update.networking ?? saved.networking;
  return (
    refusedLocation(location) ?? {
      auth: { ...saved, networking, injection_location: location },
      values: given({ secret_value: update.secret_value }),
    }
  );
}

function refusedLocation(location: { readonly header: boolean; readonly body: boolean }): RequestRefusal | null {
  return location.header || location.body
    ? null
    : refuse('invalid_request_error', 'auth.injection_location: header or body must be true');
}

/** The URL is judged when it is saved, so that the client learns of the rule, and again before each request to it. */
function refusedUrl(field: string, url: string, allow: AllowedHosts): RequestRefusal | null {
  const judged = judgeUrl(url, allow);
  return judged.status === 'judged' ? null : refuse('invalid_request_error', `${field}: ${judged.rule}`);
}

function given(values: { readonly [Field in keyof SecretValues]: string | null | undefined }): SecretValues {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value == null ? [] : [[name, value]])));
}
