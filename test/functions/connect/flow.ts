/**
 * The whole consent in one process: the connect pages, DynamoDB, a certified identity provider, an authorization server
 * and an MCP server over real HTTP, and a clock that a test can move.
 */
import type { AuditEntry } from '#contract/audit.ts';
import type { KnownClients } from '#contract/connect.ts';
import { AgentId, EventId, Position, SessionId, ThreadId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { USER_KEY, type Vault } from '#contract/vaults.ts';
import type { WaitingCall, ConnectionFacts } from '#core/ports/connection-records.ts';
import { createConnectionLinks } from '#core/connect/offer-link.ts';
import { linkUrl } from '#core/connect/connection.ts';
import { enterpriseOf } from '#core/vault/enterprise.ts';
import type { SecretReader, SecretValues, SecretWriter } from '#core/ports/secrets.ts';
import { createAuthorizationServers } from '#aws/connect/authorization-server.mcp-sdk.ts';
import { createRegisteredClients } from '#aws/connect/registered-clients.dynamodb.ts';
import { createConnectionRecords } from '#aws/connect/connection-records.dynamodb.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { createIdentityProvider } from '#aws/connect/identity-provider.openid-client.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createSeals } from '#aws/connect/seals.hmac.ts';
import { newToken, sha256 } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { createConnectApp } from '../../../functions/connect/app.ts';
import { startFx, type Fx, type FxOptions } from '#test/mcp/fx.ts';
import { startAuthorizationServer } from '#test/mcp/authorization-server.ts';
import type { AuthorizationServerOptions } from '#test/mcp/authorization-server-script.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';
import { startDynamoDb } from '#test/ports/dynamodb.ts';
import { createBrowser } from './browser.ts';
import { CLIENT_SECRET, startIdentityProvider } from './identity-provider.ts';

export const WORKSPACE = WorkspaceId.parse('wrkspc_1');
export const BASE_URL = 'https://agents.example.com/prod/connect';
const LIMITS = { maxBytes: 1_000_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 3 };

export interface FlowOptions {
  readonly server?: FxOptions;
  readonly authorizationServer?: AuthorizationServerOptions;
  readonly knownClients?: KnownClients;
  /** The users' organisation decides about the MCP server. @default false */
  readonly isManaged?: boolean;
  /** @default BASE_URL, where no server listens */
  readonly baseUrl?: string;
}

export type Flow = Awaited<ReturnType<typeof startFlow>>;

export async function startFlow(options: FlowOptions = {}) {
  const { baseUrl = BASE_URL } = options;
  const db = await startDynamoDb();
  const idp = await startIdentityProvider(`${baseUrl}/login/callback`);
  const trusts = () => ({ issuer: idp.login.issuer, publicKey: idp.publicKey });
  const as = await startAuthorizationServer({ trusts, ...options.authorizationServer });
  const fx: Fx = await startFx({
    tokens: {},
    authorizationServers: [as.issuer],
    scopesSupported: ['files:read'],
    ...options.server,
  });
  const managed = { url: fx.url, resource: fx.url, issuer: as.issuer, clientId: 'client-1', clientSecretArn: null };
  const servers = [{ ...managed, scopes: ['files:read'] }];
  const enterprise = enterpriseOf(options.isManaged === true ? { login: idp.login, servers } : null);
  const clock = { now: Date.now() };
  const stamp = { now: () => new Date(clock.now).toISOString() };
  const audited: AuditEntry[] = [];
  const resumed: WaitingCall[] = [];
  const declined: (readonly [WaitingCall, string])[] = [];
  const lines: object[] = [];
  const secrets = createSecretShelf();
  const fetch = createGuardedFetch({ allow: ALLOW_HERE, resolve: resolveBySystem }, LIMITS);
  const connections = createConnectionRecords(db.client, db.vaultTable);
  const world = {
    connections,
    credentials: createCredentialRecords(db.client, db.vaultTable),
    vaults: createVaultRecords(db.client, db.vaultTable),
    clients: createRegisteredClients({
      ...{ dynamodb: db.client, table: db.vaultTable, baseUrl },
      secrets: secrets.ofClients,
    }),
    secrets: secrets.writer,
    servers: createAuthorizationServers({ fetch, allow: ALLOW_HERE }),
    identity: createIdentityProvider({ login: idp.login, clientSecret: async () => CLIENT_SECRET, fetch }),
    seals: createSeals(async () => 'a signing secret of the deployment, long enough'),
    audit: { record: async (_workspace: WorkspaceId, _about: string, entry: AuditEntry) => void audited.push(entry) },
    resume: async (call: WaitingCall) => ({ run: resumed.push(call) > 0 ? 'started' : 'none' }) as const,
    decline: async (call: WaitingCall, reason: string) =>
      ({ run: declined.push([call, reason]) > 0 ? 'started' : 'none' }) as const,
    journal: { line: (_message: string, fields: object) => void lines.push(fields), metric: () => undefined },
    knownClients: options.knownClients ?? [],
    ...{ stamp, newToken, sha256, baseUrl, enterprise, appName: 'Acme agents' },
  };
  const app = createConnectApp(world);
  const links = createConnectionLinks(world);

  async function vaultOf(user: string): Promise<Vault> {
    const at = stamp.now();
    const vault: Vault = {
      ...{ id: VaultId.parse(`vlt_${newToken()}`), type: 'vault', display_name: user },
      ...{ metadata: { [USER_KEY]: user }, created_at: at, updated_at: at, archived_at: null },
    };
    await world.vaults.create(WORKSPACE, vault);
    return vault;
  }

  return {
    ...{ db, as, fx, idp, clock, audited, resumed, declined, lines, secrets, world, links, vaultOf, app },
    /** The credentials and secrets that the pages have stored. */
    shelf: { write: secrets.writer.write, read: secrets.read },
    browser: () => createBrowser({ baseUrl, fetch: (request) => app.fetch(request) }),

    /** A link of Alice's, or of another user. */
    async link(user = 'alice', changes: Partial<ConnectionFacts> = {}) {
      const vault = await vaultOf(user);
      const facts: ConnectionFacts = {
        ...{ id: `conn_${newToken()}` as ConnectionFacts['id'], workspace: WORKSPACE, vault: vault.id, user },
        server: { url: fx.url, name: 'files', resourceMetadata: null },
        agent: { id: AgentId.parse('agent_01'), name: 'Ada', version: 3 },
        ...{ scopes: [], returnUrl: null, createdAt: stamp.now() },
        expiresAt: new Date(clock.now + 86_400_000).toISOString(),
        ...changes,
      };
      await connections.create(facts);
      return { ...facts, url: linkUrl(baseUrl, facts), vault };
    },

    async credentials(vault: Vault) {
      const rows = await world.credentials.list(vault.id, {
        ...{ workspace: WORKSPACE, order: 'desc', from: null, to: null, includeArchived: true },
        ...{ beyond: null, direction: 'next', limit: 100 },
      });
      return rows.rows.map(({ item }) => item);
    },

    async close() {
      await Promise.all([db.close(), as.close(), fx.close(), idp.close()]);
    },
  };
}

export function waitingCall(name: string): WaitingCall {
  return {
    session: SessionId.parse('sesn_01'),
    thread: ThreadId.parse('sthr_01'),
    call: EventId.parse(`sevt_${name}`),
    sincePosition: Position.parse(3),
  };
}

function createSecretShelf() {
  const values = new Map<string, SecretValues>();
  const clientSecrets = new Map<string, string>();
  const writer: SecretWriter = {
    async write({ credential }, _type, written) {
      const version = `v${values.size + 1}`;
      values.set(`${credential}/${version}`, written);
      return Object.fromEntries(Object.keys(written).map((field) => [field, `shelf:${version}`]));
    },
    async remove({ credential }) {
      for (const name of values.keys()) if (name.startsWith(`${credential}/`)) values.delete(name);
    },
  };
  /** Reads secrets by their pointers. */
  const read: SecretReader['read'] = async ({ credential }, pointers) =>
    Object.fromEntries(
      Object.entries(pointers).map(([field, pointer]) => {
        const held = values.get(`${credential}/${pointer.replace('shelf:', '')}`) ?? {};
        return [field, (held as Readonly<Record<string, string>>)[field] ?? ''];
      }),
    );
  const ofClients = {
    async keep(name: string, secret: string) {
      clientSecrets.set(name, secret);
      return name;
    },
    read: async (id: string) => clientSecrets.get(id) ?? '',
  };
  return { values, writer, read, clientSecrets, ofClients };
}
