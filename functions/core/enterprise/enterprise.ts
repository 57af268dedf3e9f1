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

/** Null for a server whose users consent themselves. `url` is canonical. */
export function managedServer(enterprise: Enterprise | null, url: string): ManagedServer | null {
  return enterprise?.servers.get(url) ?? null;
}

/** Whether what a vault holds under this URL is its user's identity. */
export function isIdentity(enterprise: Enterprise | null, url: string): boolean {
  return enterprise !== null && canonicalServerUrl(url) === enterprise.identityUrl;
}
