/**
 * The MCP proxy with all its ports in memory: a session with log, vaults, policies and audit trail that a test can
 * read, and servers that answer as the test says. A test injects a fault by replacing a port.
 */
import { expect } from 'vitest';
import { createHash } from 'node:crypto';
import type { SessionAgent } from '#contract/agents.ts';
import type { AuditEntry } from '#contract/audit.ts';
import type { Entry } from '#contract/entries.ts';
import { ConnectId, CredentialId, EventId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { McpTool, OfferedTool } from '#contract/mcp.ts';
import { USER_KEY, type Vault } from '#contract/vaults.ts';
import type { ConnectionOffer } from '#core/ports/connection-records.ts';
import type { CallMark, CallMarks, FoundMark, MarkedSuspension } from '#core/ports/call-marks.ts';
import type { CallRequest } from '#core/mcp/make-call.ts';
import { fingerprint } from '#core/mcp/pins.ts';
import type { McpCall, McpCalled, McpClient, McpFailure, McpListed, McpTarget } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import type { PinnedTool, ToolPins } from '#core/ports/tool-pins.ts';
import type { CallFacts, PolicyDecision } from '#core/ports/policy.ts';
import type { SessionRecord } from '#core/ports/records.ts';
import { take, type Bucket } from '#core/ports/token-bucket.ts';
import { change } from '#core/session/change.ts';
import type { Tokens } from '#core/ports/tokens.ts';
import type { CredentialRecords, StoredCredential } from '#core/ports/vault-records.ts';
import { AGENT, answerWith, claim, createdWith, given, KEY, NOW, send, steadyStamp, toolUse } from '../given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

export const WORKSPACE = WorkspaceId.parse('wrkspc_1');
export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

export const SUM: McpTool = {
  name: 'sum',
  description: 'Adds two numbers',
  input_schema: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } } },
  hints: {},
};

export const FX_URL = 'https://fx.example.com/mcp';

/** One MCP server named `fx`, with tools that need no confirmation. */
export function agentWith(servers: Readonly<Record<string, string>> = { fx: FX_URL }): SessionAgent {
  const policy = { enabled: true, permission_policy: { type: 'always_allow' as const } };
  return {
    ...AGENT,
    mcp_servers: Object.entries(servers).map(([name, url]) => ({ type: 'url', name, url })),
    tools: Object.keys(servers).map((name) => ({
      type: 'mcp_toolset',
      mcp_server_name: name,
      default_config: policy,
      configs: [],
    })),
  };
}

export function vaultOf(name: string, user: string | null, archivedAt: string | null = null): Vault {
  return {
    id: VaultId.parse(`vlt_${name}`),
    type: 'vault',
    display_name: name,
    metadata: user === null ? {} : { [USER_KEY]: user },
    created_at: NOW,
    updated_at: NOW,
    archived_at: archivedAt,
  };
}

export function credentialIn(
  vault: Vault,
  url = FX_URL,
  type: 'mcp_oauth' | 'static_bearer' = 'mcp_oauth',
): StoredCredential {
  return {
    workspace: WORKSPACE,
    version: 3,
    secrets: {},
    state: 'ok',
    lease: null,
    cooldownUntil: null,
    failures: 0,
    grantedScopes: null,
    issuer: null,
    credential: {
      id: CredentialId.parse(vault.id.replace('vlt_', 'vcrd_')),
      type: 'vault_credential',
      vault_id: vault.id,
      display_name: null,
      auth:
        type === 'static_bearer'
          ? { type, mcp_server_url: url }
          : { type, mcp_server_url: url, expires_at: null, refresh: null },
      metadata: {},
      created_at: NOW,
      updated_at: NOW,
      archived_at: null,
    },
  };
}

export interface Holding {
  readonly vault: Vault;
  readonly stored: readonly StoredCredential[];
}

export const ALICE: Holding = holding('alice', 'alice');

export function holding(name: string, user: string | null, url = FX_URL): Holding {
  const vault = vaultOf(name, user);
  return { vault, stored: [credentialIn(vault, url)] };
}

export const tokenOf = (stored: StoredCredential) => `token-of-${stored.credential.id}-0123456789`;

export const ALLOW: PolicyDecision = {
  decision: 'allow',
  code: 'default_permit',
  reason: '',
  policyIds: ['p1'],
  policySha256: null,
  mode: 'none',
  would: null,
};

export const ANSWER: McpCalled = { status: 'answered', content: [{ type: 'text', text: '3' }], isError: false };

export const failure = (parts: Partial<McpFailure> & Pick<McpFailure, 'kind'>): McpFailure => ({
  status: 'failed',
  message: `It is ${parts.kind}.`,
  said: null,
  detail: 'fx.example.com tools/call',
  method: 'tools/call',
  http: null,
  retryAfterMs: null,
  scopes: [],
  resourceMetadata: null,
  sent: false,
  ...parts,
});

export const NO_HOOKS: McpProxyWorld['hooks'] = {
  failOpen: false,
  before: async () => ({ status: 'none' }),
  after: async () => ({ status: 'none' }),
};

export interface StageOptions {
  readonly agent?: SessionAgent;
  readonly holdings?: readonly Holding[];
  readonly input?: Record<string, unknown>;
  readonly tool?: McpTool;
  readonly asks?: boolean;
  readonly rate?: Bucket;
  readonly links?: 'offered' | 'none';
}

export type ProxyStage = ReturnType<typeof proxyStage>;

/** A session in which the model has just called `sum` of `fx`. */
export function proxyStage(options: StageOptions = {}) {
  const { agent = agentWith(), holdings = [ALICE], tool = SUM, asks = false } = options;
  const stamp = steadyStamp(1000);
  const server = agent.mcp_servers[0]?.name ?? 'fx';
  const offered: OfferedTool[] = [{ as: `mcp__${server}__${tool.name}`, server, tool }];
  const log = memoryLog();
  const calling = callingSession({ agent, offered, stamp, input: options.input ?? { a: 1, b: 2 }, asks });
  log.create(KEY, calling.head, calling.entries);
  const [open] = calling.head.state.calls;
  if (open === undefined) throw new Error('the model made no call');

  const audited: AuditEntry[] = [];
  const lines: Readonly<Record<string, unknown>>[] = [];
  const calls: { readonly target: McpTarget; readonly call: McpCall; readonly token: string | undefined }[] = [];
  const lists: McpTarget[] = [];
  const offers: ConnectionOffer[] = [];
  const judged: CallFacts[] = [];
  const pins = memoryPins();
  const marks = memoryMarks();
  const listed = new Map<string, Pick<McpListed, 'status' | 'tools'> | McpFailure>();
  /** The server's answers in their order; the last one is repeated. */
  const replies: (McpCalled | McpFailure | (() => Promise<McpCalled | McpFailure>))[] = [ANSWER];
  for (const { url } of agent.mcp_servers) {
    listed.set(url, { status: 'listed', tools: [tool] });
    pins.put(url, tool, fingerprint(tool, sha256));
  }

  const client: McpClient = {
    async listTools(target) {
      lists.push(target);
      const answer = listed.get(target.url) ?? failure({ kind: 'unreachable', method: 'tools/list' });
      return answer.status === 'listed' ? { badTools: 0, ...answer, askedAt: stamp.now() } : answer;
    },
    async callTool(target, call, signal) {
      calls.push({ target, call, token: await target.bearer?.token() });
      const reply = replies.length > 1 ? replies.shift() : replies[0];
      if (reply === undefined) throw new Error('the server has nothing to say');
      signal.throwIfAborted();
      return typeof reply === 'function' ? reply() : reply;
    },
  };
  const tokens: Tokens = {
    bearer: async ({ stored }) => ({
      status: 'bearer',
      token: tokenOf(stored),
      version: stored.version,
      inUse: [tokenOf(stored)],
    }),
    renew: async () => ({ status: 'needs_reauth', retryAfterMs: null, detail: 'as.example.com invalid_grant' }),
  };
  const world: McpProxyWorld = {
    log,
    sessions: { find: async () => rowOf(agent, holdings) },
    credentials: memoryCredentials(holdings),
    tokens,
    managedTokens: () => expect.fail('no server is managed'),
    enterprise: null,
    mcpClient: client,
    pins,
    policies: {
      decide: async (facts) => {
        judged.push(facts);
        return ALLOW;
      },
      isVisible: async () => true,
      prepare: async () => {},
    },
    hooks: NO_HOOKS,
    audit: { record: async (_workspace, _about, entry) => void audited.push(entry) },
    auditedCalls: { lastOf: async (_workspace, _session, call) => lastIn(audited, call) },
    marks,
    links: {
      async offer(offer) {
        offers.push(offer);
        if (options.links === 'none') return null;
        return { id: ConnectId.parse('conn_1'), url: 'https://brainstem.example.com/connect/conn_1' };
      },
    },
    buckets: memoryBuckets(() => Date.parse(stamp.now())),
    callRate: options.rate ?? null,
    sha256,
    stamp,
    pause: async (ms) => stamp.advance(ms),
    journal: { line: (message, fields) => void lines.push({ message, ...fields }), metric: () => undefined },
  };
  const request: CallRequest = { do: 'call', ...KEY, call: open };
  const until: Until = { deadline: Date.parse(NOW) + 100_000, signal: new AbortController().signal };
  const stage = {
    ...{ world, request, until, log, stamp, agent, open },
    ...{ audited, lines, calls, lists, offers, judged, pins, marks, replies, listed },
    entries: () => log.entries(KEY),
    results: () => log.entries(KEY).flatMap((entry) => eventsOf(entry, 'agent.mcp_tool_result')),
    errors: () => log.entries(KEY).flatMap((entry) => eventsOf(entry, 'session.error')),
    outcomes: () => audited.flatMap((entry) => (entry.kind === 'outcome' ? [entry] : [])),
    intents: () => audited.filter(({ kind }) => kind === 'intent'),
    async state() {
      const head = await log.head(KEY);
      if (head === null) throw new Error('the session has no log');
      return head.state;
    },
    async when(command: Parameters<typeof change>[3]) {
      const head = await log.head(KEY);
      if (head !== null) await change(world, KEY, head, command);
    },
  };
  return stage;
}

function eventsOf<Type extends 'agent.mcp_tool_result' | 'session.error'>(entry: Entry, type: Type) {
  return 'event' in entry && entry.event.type === type
    ? [entry.event as Extract<typeof entry.event, { type: Type }>]
    : [];
}

function lastIn(audited: readonly AuditEntry[], call: EventId): 'intent' | 'outcome' | null {
  return audited.reduce<'intent' | 'outcome' | null>(
    (last, entry) => ('call' in entry && entry.call === call ? entry.kind : last),
    null,
  );
}

interface Calling {
  readonly agent: SessionAgent;
  readonly offered: OfferedTool[];
  readonly stamp: ReturnType<typeof steadyStamp>;
  readonly input: Record<string, unknown>;
  readonly asks: boolean;
}

function callingSession({ agent, offered, stamp, input, asks }: Calling) {
  const [{ as, server, tool } = { as: '', server: '', tool: SUM }] = offered;
  const policy = asks ? 'always_ask' : 'always_allow';
  const rules = new Map([[as, { kind: 'mcp', server, tool: tool.name, policy } as const]]);
  const verdict = { id: EventId.parse('sevt_call'), decision: 'allow', reason: '' } as const;
  const answered = answerWith({ stopReason: 'tool_use', blocks: [toolUse('toolu_1', as, input)] });
  return given([createdWith(agent)], stamp)
    .when(send('go'))
    .when({ do: 'listed', run: 1, tools: offered, sha256: sha256('tools'), failed: [] })
    .when(claim())
    .when({ ...answered, rules, verdicts: new Map([['toolu_1', verdict]]) } as typeof answered);
}

function rowOf(agent: SessionAgent, holdings: readonly Holding[]): SessionRecord {
  const details = {
    id: KEY.session,
    agent,
    environment_id: 'env_1',
    title: null,
    metadata: {},
    created_at: NOW,
    vault_ids: holdings.map(({ vault }) => vault.id),
  };
  return { details, workspace: WORKSPACE } as unknown as SessionRecord;
}

export function memoryCredentials(holdings: readonly Holding[]): Pick<CredentialRecords, 'match'> {
  return {
    match: async (_workspace, vaults, key) =>
      vaults.map((id) => {
        const found = holdings.find(({ vault }) => vault.id === id);
        const stored = found?.stored.find(({ credential: { auth } }) => urlIn(auth) === key) ?? null;
        return { vault: found?.vault ?? null, stored };
      }),
  };
}

const urlIn = (auth: StoredCredential['credential']['auth']) => ('mcp_server_url' in auth ? auth.mcp_server_url : null);

export function memoryPins() {
  const pinned = new Map<string, Map<string, PinnedTool>>();
  const of = (url: string) => pinned.get(url) ?? pinned.set(url, new Map()).get(url) ?? new Map<string, PinnedTool>();
  const put = (url: string, tool: McpTool, sha: string) =>
    void of(url).set(tool.name, { name: tool.name, sha256: sha, pinnedAt: NOW, drifted: null });
  const port: Pick<ToolPins, 'find' | 'pin' | 'drift' | 'clearDrift'> = {
    find: async (_workspace, url) => new Map(of(url)),
    async pin(_workspace, url, tools) {
      for (const { tool, sha256: sha } of tools) if (!of(url).has(tool.name)) put(url, tool, sha);
    },
    async drift(_workspace, url, { tool, sha256: sha }, at) {
      const before = of(url).get(tool.name);
      if (before !== undefined) of(url).set(tool.name, { ...before, drifted: { sha256: sha, seenAt: at } });
    },
    async clearDrift(_workspace, url, { name, sha256: sha }, askedAt) {
      const before = of(url).get(name);
      if (before?.sha256 !== sha || before.drifted === null || before.drifted.seenAt >= askedAt) return;
      of(url).set(name, { ...before, drifted: null });
    },
  };
  return { ...port, put, of };
}

export function memoryMarks(): CallMarks & { readonly all: Map<EventId, Mark> } {
  const all = new Map<EventId, Mark>();
  const keep = (id: EventId, mark: Partial<Mark>) =>
    void all.set(id, { status: 'done', attempt: null, at: '', suspension: null, ...all.get(id), ...mark });
  return {
    all,
    async find(id): Promise<FoundMark | null> {
      const { status, suspension } = all.get(id) ?? {};
      if (status === undefined) return null;
      if (status !== 'suspended') return { status };
      if (suspension == null) throw new Error('it was suspended with nothing to go on from');
      return { status, ...suspension };
    },
    async start(id, attempt, at): Promise<CallMark> {
      const mark = all.get(id);
      if (mark?.status === 'done') return { status: 'done' };
      if (mark?.status === 'ended') return { status: 'found ended' };
      if (mark?.status === 'started') return { status: 'found started', at: mark.at };
      keep(id, { status: 'started', attempt, at });
      return mark?.suspension == null ? { status: 'started' } : { status: 'resumed', ...mark.suspension };
    },
    async end(id, attempt) {
      const mark = all.get(id);
      if (mark?.status === 'started' && mark.attempt === attempt) keep(id, { status: 'ended' });
    },
    async suspend(id, attempt, suspension) {
      const mark = all.get(id);
      const isOfEarlier = mark?.status === 'suspended' && mark.suspension?.sincePosition !== suspension.sincePosition;
      const may = mark === undefined || mark.attempt === attempt || isOfEarlier;
      if (may) keep(id, { status: 'suspended', suspension, attempt });
      return may;
    },
    done: async (id) => keep(id, { status: 'done' }),
  };
}

interface Mark {
  readonly status: 'started' | 'suspended' | 'ended' | 'done';
  readonly attempt: EventId | null;
  readonly at: string;
  readonly suspension: MarkedSuspension | null;
}

function memoryBuckets(nowMs: () => number): McpProxyWorld['buckets'] {
  const spent = new Map<string, number>();
  return {
    async take(name, bucket, wanted) {
      const taken = take(bucket, spent.get(name) ?? 0, { nowUs: nowMs() * 1000, wanted });
      if (taken.status === 'taken') spent.set(name, taken.spentUntilUs);
      return taken;
    },
  };
}
