/** The responses of the authorization server's endpoints, without the transport. */
import { createHash, randomBytes } from 'node:crypto';
import type {
  AuthorizationServerOptions,
  Decision,
  ReceivedRequest,
  TokenAnswer,
} from './authorization-server-script.ts';
import type { Consent, Grants, Issued } from './grants.ts';
import { verifiedJwt } from './jwt.ts';
import { clientOf, type Client } from './oauth-client.ts';

interface Code extends Consent {
  readonly redirectUri: string;
  readonly challenge: string;
}

export interface Reply {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface State {
  readonly options: AuthorizationServerOptions;
  readonly issuer: string;
  readonly grants: Grants;
  readonly clients: Map<string, Client>;
  readonly forgotten: Set<string>;
  readonly codes: Map<string, Code>;
  readonly decision: Decision;
}

const json = (code: number, body: unknown): Reply => ({
  code,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
  body: JSON.stringify(body),
});
const refused = (error: string, description: string): Reply =>
  json(error === 'invalid_client' ? 401 : 400, { error, error_description: description });

export function route(state: State, request: ReceivedRequest): Reply {
  const { options } = state;
  const path = options.path ?? '';
  const found = options.metadata ?? 'both';
  const places = [
    ...(found === 'oidc' ? [] : [`/.well-known/oauth-authorization-server${path}`]),
    ...(found === 'oauth'
      ? []
      : [`/.well-known/openid-configuration${path}`, `${path}/.well-known/openid-configuration`]),
  ];
  if (places.includes(request.path)) return json(200, metadata(state));
  if (request.path === `${path}/authorize`) return authorize(state, request);
  if (request.path === `${path}/register` && options.registration !== false) return register(state, request);
  return { code: 404, body: 'not found' };
}

function metadata({ options, issuer }: State): Record<string, unknown> {
  const honest: Record<string, unknown> = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    ...(options.registration === false ? {} : { registration_endpoint: `${issuer}/register` }),
    ...(options.cimd === true ? { client_id_metadata_document_supported: true } : {}),
    jwks_uri: `${issuer}/jwks`,
    scopes_supported: ['files:read', 'files:write'],
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post'],
    authorization_response_iss_parameter_supported: true,
  };
  return options.says?.(honest) ?? honest;
}

/** The user is logged in and decides at once, so a browser is redirected without a click. */
function authorize(state: State, { query }: ReceivedRequest): Reply {
  const client = knownClient(state, query.get('client_id') ?? '');
  const redirectUri = query.get('redirect_uri') ?? '';
  if (client === null) return refused('invalid_client', 'unknown client_id');
  if (client.redirectUris !== null && !client.redirectUris.includes(redirectUri)) {
    return refused('invalid_request', 'redirect_uri is not registered');
  }
  const target = new URL(redirectUri);
  const { decision } = state;
  const back = (fields: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(fields)) target.searchParams.set(name, value);
    target.searchParams.set('state', decision.state ?? query.get('state') ?? '');
    const iss = decision.iss === undefined ? state.issuer : decision.iss;
    if (iss !== null) target.searchParams.set('iss', iss);
    return { code: 302, headers: { location: target.href } };
  };
  const challenge = query.get('code_challenge');
  if (query.get('code_challenge_method') !== 'S256' || challenge === null) return back({ error: 'invalid_request' });
  const resource = query.get('resource');
  if (!mayHave(state, resource)) return back({ error: 'invalid_target' });
  if (decision.error !== undefined) {
    return back({ error: decision.error.code, error_description: decision.error.description });
  }
  const code = randomBytes(12).toString('base64url');
  const scope = query.get('scope') ?? '';
  state.codes.set(code, { client: client.id, subject: 'alice', scope, resource, redirectUri, challenge });
  return back({ code });
}

function register(state: State, { body }: ReceivedRequest): Reply {
  const asked = JSON.parse(body) as { redirect_uris?: string[]; token_endpoint_auth_method?: Client['auth'] };
  const auth = asked.token_endpoint_auth_method ?? 'client_secret_basic';
  const secret = auth === 'none' ? null : randomBytes(12).toString('base64url');
  const id = `registered-${state.clients.size}`;
  state.clients.set(id, { id, auth, secret, redirectUris: asked.redirect_uris ?? [] });
  return json(201, { ...asked, client_id: id, ...(secret === null ? {} : { client_secret: secret }) });
}

function knownClient({ clients, forgotten, options }: State, id: string): Client | null {
  if (forgotten.has(id)) return null;
  const known = clients.get(id);
  if (known !== undefined) return known;
  // The content of the client's metadata document is tested with the function that serves it.
  return options.cimd === true && URL.canParse(id) ? { id, auth: 'none', secret: null, redirectUris: null } : null;
}

function mayHave({ options }: State, resource: string | null): boolean {
  return options.resources === undefined || (resource !== null && options.resources.includes(resource));
}

export function token(state: State, request: ReceivedRequest, told: TokenAnswer | null): Reply {
  if (told?.do === 'say') {
    return { code: told.code, headers: { 'content-type': told.type ?? 'application/json' }, body: told.body };
  }
  if (told?.do === 'drop') return { code: 500 };
  const change = told?.do === 'grant' ? told.change : {};
  const keeps =
    state.options.rotation === false || ('refresh_token' in change && change['refresh_token'] === undefined);
  const client = clientOf(request, (id) => knownClient(state, id));
  if (client === null) return refused('invalid_client', 'client authentication failed');
  // An assertion names its resource itself.
  const named = request.form.get('assertion') === null;
  if (named && !mayHave(state, request.form.get('resource'))) return refused('invalid_target', 'unknown resource');
  const { form } = request;
  const isAssertion = form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const issued = isAssertion ? admit(state, client, form) : grant(state, client, { form, keeps });
  if (typeof issued === 'string') return refused(issued, 'the grant is not good for a token');
  return json(200, { token_type: 'Bearer', ...issued, ...change });
}

/**
 * RFC 7523 with the ID-JAG profile: the assertion is for this server and this client, from a trusted issuer; there is
 * no refresh token.
 */
function admit({ options, issuer, grants }: State, client: Client, form: URLSearchParams): object | string {
  const trusted = options.trusts?.();
  if (trusted === undefined) return 'unsupported_grant_type';
  const jag = verifiedJwt(trusted.publicKey, form.get('assertion') ?? '', options.nowMs?.());
  const { iss, aud, client_id: meant, sub, resource } = jag?.claims ?? {};
  if (jag?.typ !== 'oauth-id-jag+jwt' || iss !== trusted.issuer || aud !== issuer || meant !== client.id) {
    return 'invalid_grant';
  }
  const consent = { client: client.id, subject: String(sub), resource: String(resource) };
  const { refresh_token: _none, ...issued } = grants.begin({ ...consent, scope: form.get('scope') ?? '' });
  return issued;
}

function grant(
  { grants, codes }: State,
  client: Client,
  { form, keeps }: { readonly form: URLSearchParams; readonly keeps: boolean },
): Issued | string {
  if (form.get('grant_type') === 'refresh_token') {
    const refreshToken = form.get('refresh_token') ?? '';
    const granted = grants.consentOf(refreshToken)?.scope.split(' ') ?? [];
    const wider = (form.get('scope') ?? '').split(' ').some((scope) => scope !== '' && !granted.includes(scope));
    return wider ? 'invalid_scope' : (grants.refresh(client.id, refreshToken, keeps) ?? 'invalid_grant');
  }
  if (form.get('grant_type') !== 'authorization_code') return 'unsupported_grant_type';
  const code = codes.get(form.get('code') ?? '');
  codes.delete(form.get('code') ?? '');
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url');
  const fits =
    code?.client === client.id && code.redirectUri === form.get('redirect_uri') && code.challenge === challenge;
  return code !== undefined && fits ? grants.begin(code) : 'invalid_grant';
}
