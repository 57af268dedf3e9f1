/**
 * The memory of an authorization server: families of refresh tokens. A refresh token that comes twice ends its family.
 */
import { randomBytes } from 'node:crypto';

export interface Consent {
  readonly client: string;
  readonly subject: string;
  readonly scope: string;
  readonly resource: string | null;
}

export interface Issued {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly scope: string;
}

interface Family extends Consent {
  alive: boolean;
  current: string;
}

export interface Grants {
  begin(consent: Consent): Issued;
  /** The next pair; null for a token that is unknown, of another client, revoked or, with its family, used twice. */
  refresh(client: string, refreshToken: string, keep: boolean): Issued | null;
  /** The user who gave the consent of this refresh token, used or not. */
  consentOf(refreshToken: string): Consent | null;
  /** The rights of an access token; null when it has expired or its family has ended. */
  accepts(accessToken: string): Consent | null;
  /** Whether the family of this refresh token still works. */
  isAlive(refreshToken: string): boolean;
  /** Revokes the user's consent. */
  revoke(refreshToken: string): void;
  /** Expires an access token before its time. */
  expire(accessToken: string): void;
}

/** Makes a token; `kind` is `access` or `refresh`. */
export type NewToken = (kind: string) => string;

export const randomToken: NewToken = (kind) => `${kind}-${randomBytes(18).toString('base64url')}`;

export function createGrants(lifetimeSeconds: number, nowMs: () => number, newToken = randomToken): Grants {
  const families = new Map<string, Family>();
  const access = new Map<string, { readonly family: Family; readonly untilMs: number }>();

  function issue(family: Family): Issued {
    const issued = { access_token: newToken('access'), refresh_token: family.current };
    access.set(issued.access_token, { family, untilMs: nowMs() + lifetimeSeconds * 1000 });
    return { ...issued, expires_in: lifetimeSeconds, scope: family.scope };
  }

  function rotate(family: Family): void {
    family.current = newToken('refresh');
    families.set(family.current, family);
  }

  return {
    begin(consent) {
      const family = { ...consent, alive: true, current: '' };
      rotate(family);
      return issue(family);
    },
    refresh(client, refreshToken, keep) {
      const family = families.get(refreshToken);
      if (family === undefined || family.client !== client) return null;
      if (family.current !== refreshToken) family.alive = false;
      if (!family.alive) return null;
      if (!keep) rotate(family);
      return issue(family);
    },
    consentOf: (refreshToken) => families.get(refreshToken) ?? null,
    accepts(accessToken) {
      const found = access.get(accessToken);
      return found !== undefined && found.family.alive && nowMs() < found.untilMs ? found.family : null;
    },
    isAlive: (refreshToken) => families.get(refreshToken)?.alive ?? false,
    revoke(refreshToken) {
      const family = families.get(refreshToken);
      if (family !== undefined) family.alive = false;
    },
    expire: (accessToken) => void access.delete(accessToken),
  };
}
