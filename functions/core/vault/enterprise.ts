/**
 * Servers for which a user's organisation consents. What stands for the user there is the identity that they have at the
 * organisation's identity provider: a credential of their vault like any other, under the provider's own URL. Its token is
 * an ID token, so it is refreshed as one, and goes to that provider and nowhere else.
 */
import type { LoginSettings } from '#contract/connect.ts';
import type { EnterpriseSettings, ManagedServer } from '#contract/enterprise.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

export interface Enterprise {
  /** Under which a vault holds its user's identity. */
  readonly identityUrl: string;
  readonly login: LoginSettings;
  /** By their canonical URLs. */
  readonly servers: ReadonlyMap<string, ManagedServer>;
}

/** @throws Error for a URL that no credential could be for: the construct takes none */
export function enterpriseOf(settings: EnterpriseSettings): Enterprise | null {
  if (settings === null) return null;
  const { login, servers } = settings;
  const byUrl = servers.map((server) => [canonical(server.url), server] as const);
  return { identityUrl: canonical(login.issuer), login, servers: new Map(byUrl) };
}

function canonical(text: string): string {
  const url = canonicalServerUrl(text);
  if (url === null) throw new Error('a URL of the settings is none of a server');
  return url;
}

/**
 * Null for a server whose users consent themselves. `url` is canonical. What is below a managed server is managed with
 * it, however it is spelled: where a server takes two URLs for one, the other must be no way around the organisation.
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

/** Host and segments, as the most lenient of servers reads them. */
function pathOf(url: string): readonly string[] {
  const { host, pathname } = new URL(url);
  const plain = pathname.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const segments = plain.toLowerCase().split(/[/\\]/);
  return segments.reduce<readonly string[]>(
    (path, segment) => {
      const name = segment.replace(/;.*$/, '');
      if (name === '' || name === '.') return path;
      return name === '..' ? path.slice(0, Math.max(1, path.length - 1)) : [...path, name];
    },
    [host],
  );
}

/** Whether what a vault holds under this URL is its user's identity. */
export function isIdentity(enterprise: Enterprise | null, url: string): boolean {
  return enterprise !== null && canonicalServerUrl(url) === enterprise.identityUrl;
}
