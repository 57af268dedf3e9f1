/**
 * The JSON that authorization servers and protected resources answer, reduced to what this service reads, before the SDK
 * judges it. The SDK refuses a whole document for one wrong field that nothing reads, and takes null for a value.
 */
import type { FetchLike } from '@modelcontextprotocol/client';
import { jsonOrNull } from '#core/vault/token-endpoint.ts';

type Fields = Readonly<Record<string, unknown>>;

const READ: readonly string[] = [
  // RFC 9728: the protected resource.
  ...['resource', 'authorization_servers', 'scopes_supported'],
  // RFC 8414 and OpenID Connect Discovery: the authorization server.
  ...[
    'issuer',
    'authorization_endpoint',
    'token_endpoint',
    'registration_endpoint',
    'code_challenge_methods_supported',
  ],
  ...['authorization_response_iss_parameter_supported', 'client_id_metadata_document_supported'],
  'token_endpoint_auth_methods_supported',
  // RFC 7591: a registered client.
  ...['client_id', 'client_secret', 'token_endpoint_auth_method'],
  // RFC 6749 §5: a token, or an error.
  ...['access_token', 'refresh_token', 'token_type', 'expires_in', 'scope', 'error', 'error_description'],
];

/** Fields that the SDK demands and nothing here reads, by the field that tells the kind of the document. */
function unread(document: Fields): Fields {
  const { issuer, client_id: client, access_token: token } = document;
  return {
    ...(typeof issuer === 'string' ? UNREAD_METADATA : {}),
    ...(typeof client === 'string' ? { redirect_uris: [] } : {}),
    // RFC 6749 §5.1 demands a type; a server that names none means a bearer token.
    ...(typeof token === 'string' ? { token_type: 'bearer' } : {}),
  };
}

const UNREAD_METADATA = {
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  jwks_uri: 'https://unread.invalid/',
};

export function readingOAuth(fetch: FetchLike): FetchLike {
  return async (url, init) => {
    const response = await fetch(url, init);
    const text = await response.text();
    const document = jsonOrNull(text);
    const { status, statusText, headers } = response;
    const body = document === null ? text : JSON.stringify(readDocument(document));
    const read = new Response(hasBody(status) ? body : null, { status, statusText, headers });
    Object.defineProperty(read, 'url', { value: response.url });
    return read;
  };
}

const hasBody = (status: number) => status !== 204 && status !== 205 && status !== 304;

function readDocument(document: unknown): unknown {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document;
  const fields = document as Fields;
  const present = READ.flatMap((name) => (isAbsent(fields[name]) ? [] : [[name, withoutNulls(fields[name])]]));
  return { ...unread(fields), ...Object.fromEntries(present) };
}

/** Some servers write an empty text for a token, a type or scopes that they do not give. */
function isAbsent(value: unknown): boolean {
  return value == null || value === '';
}

function withoutNulls(value: unknown): unknown {
  return Array.isArray(value) ? value.filter((one) => one !== null) : value;
}
