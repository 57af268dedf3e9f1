/** Changes of what a credential tells, and the secrets that come with them. */
import type { CredentialUpdate } from '#contract/credential-requests.ts';
import type { CredentialAuth } from '#contract/credentials.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import type { SecretValues } from '#core/ports/secrets.ts';
import { futureInstant, refusedLocation, scopeOf, type Rules } from '#core/vault/separate-auth.ts';

type AuthUpdate = NonNullable<CredentialUpdate['auth']>;
type Of<Union, Type> = Extract<Union, { type: Type }>;

interface ChangedAuth {
  readonly auth: CredentialAuth;
  /** Only those that are new. */
  readonly values: SecretValues;
}

export function changeAuth(
  saved: CredentialAuth,
  update: AuthUpdate | undefined,
  rules: Rules,
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

function changeOAuth(
  saved: Of<CredentialAuth, 'mcp_oauth'>,
  update: Of<AuthUpdate, 'mcp_oauth'>,
  { now }: Rules,
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

/** How the client authenticates stays, whatever type comes with a new secret. */
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

function given(values: { readonly [Field in keyof SecretValues]: string | null | undefined }): SecretValues {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value == null ? [] : [[name, value]])));
}
