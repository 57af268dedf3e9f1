/**
 * One user's credential for a server, its authorization server over real HTTP, and token engines that share its row.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { CredentialAuth, McpOAuth } from '#contract/credentials.ts';
import type { Vault } from '#contract/vaults.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createOutbound } from '#aws/outbound/outbound.https.ts';
import { enterpriseOf } from '#core/vault/enterprise.ts';
import { Fault } from '#core/ports/errors.ts';
import { createTokens } from '#core/vault/tokens.ts';
import type { RefreshWorld } from '#core/vault/refresh.ts';
import type { SecretPointers, SecretReader, SecretValues, SecretWriter } from '#core/ports/secrets.ts';
import type { Bearer, NoBearer } from '#core/ports/tokens.ts';
import type { CredentialPlace, NewCredential, StoredCredential } from '#core/ports/vault-records.ts';
import { NOW, steadyStamp } from '#test/functions/core/given.ts';
import type { AuthorizationServerOptions } from '#test/mcp/authorization-server-script.ts';
import { startAuthorizationServer } from '#test/mcp/authorization-server.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { memoryLeases } from '#test/ports/refresh-leases.memory.ts';

export const SERVER_URL = 'https://mcp.example.com/mcp';
export const FOREVER = new AbortController().signal;
export const PLACE: CredentialPlace = {
  workspace: WorkspaceId.parse('wrkspc_1'),
  vault: VaultId.parse('vlt_1'),
  credential: CredentialId.parse('vcrd_1'),
};
export const VAULT: Vault = {
  id: PLACE.vault,
  type: 'vault',
  display_name: 'keys',
  metadata: {},
  created_at: NOW,
  updated_at: NOW,
  archived_at: null,
};

/** This credential is for its user's identity, not for a server. */
export const IDENTITY = enterpriseOf({
  login: { issuer: SERVER_URL, clientId: 'client-1', clientSecretArn: null, userClaim: 'sub' },
  servers: [],
});

export const outboundHere = createOutbound({ allow: ALLOW_HERE, resolve: resolveBySystem });

export interface MemorySecrets extends SecretReader, Pick<SecretWriter, 'write'> {
  /** How many versions were ever written. */
  readonly versions: number;
  /** Puts a value in a store that was never written through the port. */
  seed(values: SecretValues): SecretPointers;
  reads: number;
}

export function memorySecrets(): MemorySecrets {
  const stored = new Map<string, string>();
  let versions = 0;
  const seed = (values: SecretValues): SecretPointers => {
    versions += 1;
    const pointers = Object.keys(values).map((field) => [field, `memory:${versions}:${field}`]);
    for (const [field, value] of Object.entries(values)) stored.set(`memory:${versions}:${field}`, value);
    return Object.fromEntries(pointers);
  };
  const secrets: MemorySecrets = {
    get versions() {
      return versions;
    },
    seed,
    reads: 0,
    write: async (_place, _type, values) => seed(values),
    async read(_place, pointers) {
      secrets.reads += 1;
      const values = Object.entries(pointers).map(([field, pointer]) => {
        const value = stored.get(pointer);
        if (value === undefined) throw new Fault('secret_unavailable', `the version of ${field} is gone`);
        return [field, value];
      });
      return Object.fromEntries(values);
    },
  };
  return secrets;
}

export interface Setting {
  readonly server?: AuthorizationServerOptions;
  /** Counted from the start; null: the lifetime is unknown. @default an hour ago */
  readonly expiresInMs?: number | null;
  readonly refresh?: Partial<NonNullable<McpOAuth['refresh']>>;
  readonly clientSecret?: string;
}

/** A credential that its user consented to just before; its token lasts an hour. */
export async function connected({ server: options, expiresInMs = -3_600_000, ...setting }: Setting = {}) {
  const stamp = steadyStamp();
  const nowMs = () => Date.parse(stamp.now());
  const server = await startAuthorizationServer({ nowMs, ...options });
  onTestFinished(() => server.close());
  const first = server.consented({ client: setting.refresh?.client_id ?? 'client-1' });
  const secrets = memorySecrets();
  const rows = memoryLeases();
  const auth: CredentialAuth = {
    type: 'mcp_oauth',
    mcp_server_url: SERVER_URL,
    expires_at: expiresInMs === null ? null : new Date(nowMs() + expiresInMs).toISOString(),
    refresh: {
      client_id: 'client-1',
      token_endpoint: server.tokenEndpoint,
      token_endpoint_auth: { type: 'none' },
      resource: null,
      scope: null,
      ...setting.refresh,
    },
  };
  const created = newCredential(auth, secrets.seed(secretsOf(first, setting.clientSecret)), hourBefore(auth));
  await rows.save(created);
  const lines: Readonly<Record<string, unknown>>[] = [];
  let names = 0;

  const world: RefreshWorld = {
    credentials: rows.credentials,
    leases: rows.leases,
    secrets,
    outbound: outboundHere,
    identityOutbound: outboundHere,
    stamp,
    // While one actor waits, time passes for all, and requests in progress continue.
    pause: async (ms) => {
      stamp.advance(ms);
      await turn();
    },
    newToken: () => `engine-${(names += 1)}`,
    random: () => 0.5,
    enterprise: null,
    journal: { line: (message, fields) => void lines.push({ message, ...fields }), metric: () => undefined },
  };

  async function row(): Promise<StoredCredential> {
    const found = await rows.credentials.find(PLACE);
    if (found === null) throw new Error('the credential is gone');
    return found;
  }

  /** Another instance, with its own cache and its own refreshes in progress. */
  function engine(changed: Partial<RefreshWorld> = {}) {
    const tokens = createTokens({ ...world, ...changed });
    const match = async () => ({ vault: VAULT, stored: await row() });
    return {
      tokens,
      managedTokens: () => expect.fail('no server is managed'),
      bearer: async () => tokens.bearer(await match(), FOREVER),
      renew: async (refused: Bearer) => tokens.renew(await match(), refused, FOREVER),
    };
  }
  return { server, first, stamp, secrets, rows, world, lines, row, engine, ...engine() };
}

export function secretsOf(tokens: { access_token: string; refresh_token: string }, clientSecret?: string) {
  const { access_token, refresh_token } = tokens;
  return { access_token, refresh_token, ...(clientSecret === undefined ? {} : { client_secret: clientSecret }) };
}

export function newCredential(auth: CredentialAuth, secrets: SecretPointers, at: string): NewCredential {
  const credential = {
    id: PLACE.credential,
    type: 'vault_credential' as const,
    vault_id: PLACE.vault,
    display_name: null,
    auth,
    metadata: {},
    created_at: at,
    updated_at: at,
    archived_at: null,
  };
  return { workspace: PLACE.workspace, credential, secrets, grantedScopes: null, issuer: null };
}

/** When a token that lasts an hour was written. */
function hourBefore(auth: CredentialAuth): string {
  const ends = auth.type === 'mcp_oauth' ? auth.expires_at : null;
  return ends === null ? NOW : new Date(Date.parse(ends) - 3_600_000).toISOString();
}

/** The token, or a test failure that shows the other status. */
export function tokenIn(answer: Bearer | NoBearer): string {
  if (answer.status === 'bearer') return answer.token;
  throw new Error(`no bearer: ${answer.status}, ${answer.detail}`);
}
