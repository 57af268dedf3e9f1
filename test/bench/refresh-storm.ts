/** 200 sessions with expired tokens that call at the same moment, each on an instance of its own. */
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { newToken } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import {
  FOREVER,
  memorySecrets,
  newCredential,
  secretsOf,
  SERVER_URL,
  VAULT,
  type MemorySecrets,
} from '#test/functions/core/vault/refresh.fixture.ts';
import { startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import { tokensOver } from '#test/mcp/tokens-over-tables.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { ms, now, spread, table, told } from './figures.ts';

const SESSIONS = 200;
const ROUNDS = 5;
/** Milliseconds that the authorization server takes. */
const LATENCY_MS = 100;

const HEAD = [
  `Users of the ${SESSIONS} sessions`,
  'token requests',
  'DynamoDB calls',
  'secrets read',
  'secrets written',
  'one call waits (p50 / p95)',
  `all ${SESSIONS} (p50, least–most)`,
];
const TEXT = [
  `${SESSIONS} calls at the same time, each in an instance of its own, when every token has expired. Refresh tokens rotate, so a`,
  `second request with the same one would end the user’s consent. The authorization server takes ${LATENCY_MS} ms for each request.`,
  'Secrets are in memory and all instances are in one process, which determines the times.',
].join('\n');

interface Stage {
  readonly db: TestDynamoDb;
  readonly server: AuthorizationServer;
  readonly secrets: MemorySecrets;
  /** DynamoDB calls so far. */
  calls(): number;
}

interface Storm {
  readonly waits: readonly number[];
  readonly wholeMs: number;
  readonly tokenRequests: number;
  readonly calls: number;
  readonly secretReads: number;
  readonly secretWrites: number;
}

export async function refreshStorm(progress: (text: string) => void): Promise<string> {
  const db = await startDynamoDb();
  const server = await startAuthorizationServer({ latencyMs: LATENCY_MS });
  let calls = 0;
  db.client.middlewareStack.add(
    (next) => (args) => {
      calls += 1;
      return next(args);
    },
    { step: 'initialize' },
  );
  const stage = { db, server, secrets: memorySecrets(), calls: () => calls };
  const rows: (readonly string[])[] = [];
  for (const users of [SESSIONS, 20, 1]) {
    // The first round opens the connections and is not measured.
    const storms: Storm[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) storms.push(await storm(stage, users));
    rows.push(row(users, storms.slice(1)));
    progress(`${SESSIONS} sessions, users: ${users}`);
  }
  await server.close();
  await db.close();
  return `${TEXT}\n\n${table(HEAD, rows)}`;
}

function row(users: number, storms: readonly Storm[]): readonly string[] {
  const range = (pick: (storm: Storm) => number) => {
    const { min, max, p50 } = spread(storms.map(pick));
    return min === max ? String(min) : `${p50} (${min}–${max})`;
  };
  const whole = spread(storms.map(({ wholeMs }) => wholeMs));
  return [
    String(users),
    range(({ tokenRequests }) => tokenRequests),
    range(({ calls }) => calls),
    range(({ secretReads }) => secretReads),
    range(({ secretWrites }) => secretWrites),
    told(storms.flatMap(({ waits }) => waits)),
    `${ms(whole.p50)} (${ms(whole.min)}–${ms(whole.max)}, n=${whole.count})`,
  ];
}

async function storm(stage: Stage, users: number): Promise<Storm> {
  const places = await Promise.all(Array.from({ length: users }, () => expired(stage)));
  const { server, secrets } = stage;
  const before = {
    calls: stage.calls(),
    asked: server.tokenRequests.length,
    reads: secrets.reads,
    versions: secrets.versions,
  };
  const began = now();
  const waits = await Promise.all(
    Array.from({ length: SESSIONS }, async (_, session) => {
      const place = places[session % users];
      if (place === undefined) throw new RangeError('a session has no user');
      await call(stage, place);
      return now() - began;
    }),
  );
  return {
    waits,
    wholeMs: now() - began,
    tokenRequests: server.tokenRequests.length - before.asked,
    calls: stage.calls() - before.calls,
    secretReads: secrets.reads - before.reads,
    secretWrites: secrets.versions - before.versions,
  };
}

/** Reads the row and then its token, as the proxy does for each call. */
async function call({ db, secrets }: Stage, place: CredentialPlace): Promise<void> {
  const credentials = createCredentialRecords(db.client, db.vaultTable);
  const tokens = tokensOver(db, { credentials, secrets });
  const stored = await credentials.find(place);
  if (stored === null) throw new Error('the credential is gone');
  const answer = await tokens.bearer({ vault: VAULT, stored }, FOREVER);
  if (answer.status !== 'bearer') throw new Error(`a call got no token: ${answer.detail}`);
}

/** A vault of its own with a credential and a token that ended an hour ago. */
async function expired({ db, server, secrets }: Stage): Promise<CredentialPlace> {
  const place = {
    workspace: WorkspaceId.parse('wrkspc_1'),
    vault: VaultId.parse(`vlt_${newToken()}`),
    credential: CredentialId.parse(`vcrd_${newToken()}`),
  };
  const at = new Date(Date.now() - 3_600_000).toISOString();
  const refresh = {
    client_id: 'client-1',
    token_endpoint: server.tokenEndpoint,
    token_endpoint_auth: { type: 'none' as const },
    resource: null,
    scope: null,
  };
  const auth = { type: 'mcp_oauth' as const, mcp_server_url: SERVER_URL, expires_at: at, refresh };
  const created = newCredential(auth, secrets.seed(secretsOf(server.consented())), at);
  const credential = { ...created.credential, id: place.credential, vault_id: place.vault };
  await createVaultRecords(db.client, db.vaultTable).create(place.workspace, { ...VAULT, id: place.vault });
  await createCredentialRecords(db.client, db.vaultTable).create({ ...created, credential }, SERVER_URL);
  return place;
}
