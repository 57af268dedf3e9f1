/**
 * Servers for which a user's organisation consents. There the user is known by their identity at the organisation's
 * identity provider, which is a credential of their vault under the provider's own URL. Its token is an ID token: it is
 * refreshed as one, and is sent to that provider only.
 */
import type { LoginSettings } from '#contract/connect.ts';
import type { EnterpriseSettings, ManagedServer } from '#contract/enterprise.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

export interface Enterprise {
  /** The URL under which a vault holds its user's identity. */
  readonly identityUrl: string;
  readonly login: LoginSettings;
  /** By their canonical URLs. */
  readonly servers: ReadonlyMap<string, ManagedServer>;
}

/** @throws Error for a URL that is none of a server, which the construct refuses too */
export function enterpriseOf(settings: EnterpriseSettings): Enterprise | null {
  if (settings === null) return null;
  const { login, servers } = settings;
  const byUrl = servers.map((server) => [canonical(server.url), server] as const);
  return { identityUrl: canonical(login.issuer), login, servers: new Map(byUrl) };
}

function canonical(text: string): string {
  const url = canonicalServerUrl(text);
  if (url === null) throw new Error('a URL of the settings is not the URL of a server');
  return url;
}

/**
 * Null for a server to which users consent themselves. `url` is canonical. A URL below a managed server is managed with it,
 * in every spelling: a server may treat two URLs as one, and the other spelling must not avoid the organisation's rules.
 */
export function managedServer(enterprise: Enterprise | null, url: string): ManagedServer | null {
  if (enterprise === null) return null;
  const path = pathOf(url);
  const above = [...enterprise.servers].flatMap(([at, server]) => {
    const start = pathOf(at);
    return start.every((segment, index) => segment === path[index]) ? [{ server, depth: start.length }] : [];
  });
  const [nearest] = above.toSorted((one, other) => other.depth - one.depth);
  return enterprise.servers.get(url) ?? nearest?.server ?? null;
}

/** Host and segments, as the most lenient server reads them. */
function pathOf(url: string): readonly string[] {
  const { host, pathname } = new URL(url);
  const plain = pathname.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const segments = plain.toLowerCase().split(/[/\\]/);
  return segments.reduce<readonly string[]>(
    (path, segment) => {
      const [name = ''] = segment.split(';', 1);
      if (name === '' || name === '.') return path;
      return name === '..' ? path.slice(0, Math.max(1, path.length - 1)) : [...path, name];
    },
    [host],
  );
}

/** Whether a credential for this URL is its user's identity. */
export function isIdentity(enterprise: Enterprise | null, url: string): boolean {
  return enterprise !== null && canonicalServerUrl(url) === enterprise.identityUrl;
}
