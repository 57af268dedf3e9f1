/** The cost of a turn with an MCP call, for each store of users' tokens, and the cost of many users in a month. */
import { setTimeout as sleep } from 'node:timers/promises';
import { OAuthTokens } from '#contract/secret-stores.ts';
import { calling } from '#test/journeys/scripts.ts';
import { PUBLIC_CLIENT, startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';
import { textTurn } from './cost.ts';
import { mean, price, told, units, UNITS_HEAD, type Row } from './cost-row.ts';
import { table } from './figures.ts';
import { combine, dollars, MONTH, PRICES, type Used } from './prices.ts';
import { watch } from './turns.ts';
import { useOf } from './use.ts';

const TURNS = 15;
const HOUR_MS = 3_600_000;
/** Milliseconds until the token ends; the API refuses a token that has ended. */
const ENDING_MS = 500;

/** Ten calls a day on twenty days, within three hours of each day. */
const USERS = 10_000;
const CALLS_EACH = 200;
/** A token lasts an hour, so each hour with calls has one refresh. */
const REFRESHES_EACH = 60;
/** The size of a credential with its sealed tokens, in the table and in its index. */
const ROW_KB = 2 * 4;

interface StoreCost {
  readonly store: OAuthTokens;
  readonly listed: Row;
  readonly remembered: Row;
  readonly read: Row;
  readonly refreshed: Row;
}

type Progress = (text: string) => void;

export async function mcpCost(progress: Progress): Promise<string> {
  const costs: StoreCost[] = [];
  for (const store of OAuthTokens.options) {
    costs.push(await storeCost(store));
    progress(`turns with tokens in ${store}`);
  }
  const head = [...UNITS_HEAD, 'Secrets Manager calls', 'KMS calls', '$ per 100,000'];
  const rows = costs.flatMap(({ listed, remembered, read, refreshed }) => [listed, remembered, read, refreshed]);
  const priced = rows.map((row) => [
    ...units(row),
    told(row.samples.map(({ secretCalls }) => secretCalls)),
    told(row.samples.map(({ kmsCalls }) => kmsCalls)),
    price(row, 100_000),
  ]);
  return [table(head, priced), '', added(costs), '', months(costs)].join('\n');
}

async function storeCost(store: OAuthTokens): Promise<StoreCost> {
  const server = await startAuthorizationServer();
  const service = await startMcpService({ unchecked: true, props: { oauthTokens: store } });
  try {
    const user = (expiresInMs: number) => userSession(service, server, expiresInMs);
    const row = (what: string, samples: readonly Used[]): Row => ({ what: `${what}; ${store}`, samples });
    // The first turn pins the tools and is not counted.
    await turns(service, [await user(HOUR_MS)]);
    const known = await user(HOUR_MS);
    await turns(service, [known]);
    const remembered = await turns(service, Array<string>(TURNS).fill(known));
    const listed = await turns(service, Array<string>(TURNS).fill(known), 'text only');
    const read = await turns(service, await sessions(() => user(HOUR_MS)));
    const asked = server.tokenRequests.length;
    const ended = await sessions(() => user(ENDING_MS));
    await sleep(ENDING_MS);
    const refreshed = await turns(service, ended);
    if (server.tokenRequests.length !== asked + TURNS) throw new Error('not every turn refreshed one token');
    return {
      store,
      listed: row('a text-only turn, tools listed', listed),
      remembered: row('a turn with one MCP call, token in memory', remembered),
      read: row('… token read from its store, new session', read),
      refreshed: row('… token refreshed, new session', refreshed),
    };
  } finally {
    await service.close();
    await server.close();
  }
}

async function sessions(open: () => Promise<string>): Promise<readonly string[]> {
  const opened: string[] = [];
  for (let index = 0; index < TURNS; index += 1) opened.push(await open());
  return opened;
}

/** A new user with a token that ends at this time. */
async function userSession(service: McpService, server: AuthorizationServer, expiresInMs: number): Promise<string> {
  const vault = await service.vaultOf('alice');
  const { access_token, refresh_token } = server.consented();
  await service.client.beta.vaults.credentials.create(vault, {
    auth: {
      type: 'mcp_oauth',
      mcp_server_url: service.fx.url,
      access_token,
      expires_at: new Date(Date.now() + expiresInMs).toISOString(),
      refresh: {
        client_id: PUBLIC_CLIENT.id,
        token_endpoint: server.tokenEndpoint,
        refresh_token,
        token_endpoint_auth: { type: 'none' },
      },
    },
  });
  return service.mcpSession({ vaults: [vault] });
}

/** One turn in each of these sessions. */
async function turns(
  service: McpService,
  of: readonly string[],
  kind: 'with a call' | 'text only' = 'with a call',
): Promise<readonly Used[]> {
  service.standIn.script(kind === 'text only' ? () => ({ text: 'ok' }) : calling(mcp('sum', { a: 1, b: 2 })));
  const samples: Used[] = [];
  for (const session of of) {
    const watcher = await watch(service, session);
    const calls = service.fx.calls().length;
    samples.push(await useOf(service, () => textTurn(service, session, watcher)));
    watcher.close();
    const made = service.fx.calls().length - calls;
    if (made !== (kind === 'text only' ? 0 : 1)) throw new Error(`a turn ${kind} made ${made} calls`);
  }
  return samples;
}

/** The usage of the calls without the turns around them. */
function added([cost]: readonly StoreCost[]): string {
  if (cost === undefined) throw new RangeError('no costs');
  const call = combine(mean(cost.read.samples), mean(cost.listed.samples), (one, other) => one - other);
  const share = (...of: readonly (keyof Used)[]) =>
    usd(of.reduce((total, unit) => total + call[unit] * PRICES[unit], 0) * 100_000);
  return [
    `100,000 calls with tokens in ${cost.store} add ${usd(dollars(call) * 100_000)} to text-only turns: transitions ${share('transitions')}, writes`,
    `${share('writeUnits')}, reads ${share('readUnits')}, Lambda ${share('invocations', 'gbSeconds')}, secrets ${share('secretCalls', 'kmsCalls')}. This includes the second model request of the turn.`,
  ].join('\n');
}

function months(costs: readonly StoreCost[]): string {
  const each = costs.map(monthOf);
  const row = (what: string, pick: (month: Month) => number) => [what, ...each.map((one) => usd(pick(one)))];
  return [
    table(
      [`${USERS} users, a month`, ...costs.map(({ store }) => store)],
      [
        row('their tokens kept', ({ kept }) => kept),
        row('calls of Secrets Manager and KMS', ({ secrets }) => secrets),
        row('everything else that the turns use', ({ turns: used }) => used),
        row('all', ({ kept, secrets, turns: used }) => kept + secrets + used),
      ],
    ),
    '',
    `Assumed for each user: one credential with a refresh token, and ${CALLS_EACH} calls, each in a turn of its own. ${REFRESHES_EACH} of them find an`,
    'expired token, because a token lasts an hour; the others read it from its store, because no instance has it in memory.',
    'Not included: the model’s tokens and seconds, streams, sandboxes, and the requests that made the credentials.',
  ].join('\n');
}

interface Month {
  readonly kept: number;
  readonly secrets: number;
  readonly turns: number;
}

function monthOf({ store, read, refreshed }: StoreCost): Month {
  const reads = CALLS_EACH - REFRESHES_EACH;
  const used = combine(mean(read.samples), mean(refreshed.samples), (one, other) => {
    return USERS * (reads * one + REFRESHES_EACH * other);
  });
  const secrets = used.secretCalls * PRICES.secretCalls + used.kmsCalls * PRICES.kmsCalls;
  return { kept: keeping(store), secrets, turns: dollars(used) - secrets };
}

function keeping(store: OAuthTokens): number {
  switch (store) {
    case 'secrets-manager':
      return USERS * MONTH.secret;
    case 'dynamodb-kms':
      return MONTH.key + ((USERS * ROW_KB) / 1_000_000) * MONTH.tableGb;
    default:
      return store satisfies never;
  }
}

const usd = (value: number) => `$${value.toFixed(2)}`;
