/** Where a request to a forward proxy goes, as its first line says. */
import { hostOf } from '#core/outbound/destination.ts';

export interface Target {
  /** In ASCII and lower case, without brackets and without a trailing dot; an address in its plain form. */
  readonly host: string;
  readonly port: number;
  readonly scheme: 'http' | 'tunnel';
}

/** Neither credentials, nor a path, nor what parsers of URLs take for a slash. */
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[^\s:/?#@\\[\]]+)(?::(\d{1,5}))?$/i;
const ABSOLUTE = /^http:\/\/([^/?#\\]*)([/?][^#\\]*)?(?:#.*)?$/i;
const MAX_HOST_CHARS = 1024;

/** `example.com:443`, the target of `CONNECT`; null for what has another form. */
export function tunnelTarget(text: string): Target | null {
  const authority = parseAuthority(text);
  return authority?.port == null ? null : { host: authority.host, port: authority.port, scheme: 'tunnel' };
}

/** `http://example.com/path`, with path and query as they were written. */
export function absoluteTarget(text: string): (Target & { readonly path: string }) | null {
  const [, named = '', rest = ''] = ABSOLUTE.exec(text) ?? [];
  const authority = parseAuthority(named);
  if (authority === null) return null;
  const path = rest.startsWith('/') ? rest : `/${rest}`;
  return { host: authority.host, port: authority.port ?? 80, scheme: 'http', path };
}

/** As a URL and the header `Host` name it: without the port that is the usual one of the scheme. */
export function authorityOf({ host, port }: Pick<Target, 'host' | 'port'>, usualPort: 80 | 443): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === usualPort ? name : `${name}:${port}`;
}

/** The URL parser turns decimal, octal, hex, percent-encoded and full-width forms of addresses into the plain one. */
function parseAuthority(text: string): { readonly host: string; readonly port: number | null } | null {
  const [, name = '', port] = text.length > MAX_HOST_CHARS ? [] : (AUTHORITY.exec(text) ?? []);
  const url = name === '' ? null : URL.parse(`http://${name}/`);
  if (url === null || Number(port ?? 0) > 65_535) return null;
  return { host: hostOf(url), port: port === undefined ? null : Number(port) };
}
