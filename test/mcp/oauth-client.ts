/** How a client of an authorization server authenticates (RFC 6749 §2.3.1): in exactly one way, and rightly encoded. */

export interface Client {
  readonly id: string;
  readonly auth: 'none' | 'client_secret_basic' | 'client_secret_post';
  readonly secret: string | null;
  /** Null: any client. */
  readonly redirectUris: readonly string[] | null;
}

interface TokenRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly form: URLSearchParams;
}

/** The client that sent a token request; null when it did not authenticate. */
export function clientOf({ headers, form }: TokenRequest, find: (id: string) => Client | null): Client | null {
  const header = headers['authorization'];
  const basic = typeof header === 'string' ? basicPair(header) : null;
  if (header !== undefined && basic === null) return null;
  const client = find(basic?.id ?? form.get('client_id') ?? '');
  if (client === null) return null;
  const sent = { basic: basic?.secret ?? null, post: form.get('client_secret') };
  const expected = {
    basic: client.auth === 'client_secret_basic' ? client.secret : null,
    post: client.auth === 'client_secret_post' ? client.secret : null,
  };
  return sent.basic === expected.basic && sent.post === expected.post ? client : null;
}

/** Id and secret of a Basic header, each form-decoded. */
export function basicPair(header: string): { readonly id: string; readonly secret: string } | null {
  const [scheme, encoded] = header.split(' ');
  if (scheme !== 'Basic' || encoded === undefined) return null;
  const parts = Buffer.from(encoded, 'base64').toString().split(':');
  const [id, secret] = parts.map((part) => new URLSearchParams(`v=${part}`).get('v') ?? '');
  return parts.length === 2 && id !== undefined && secret !== undefined ? { id, secret } : null;
}
