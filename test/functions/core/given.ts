/** Test language of the core: given entries, when a command runs, then it returns entries or a refusal. */
import { createHash } from 'node:crypto';
import { AgentId, EnvironmentId, EventId, FIRST_POSITION, SessionId, ThreadId, WorkspaceId } from '#contract/ids.ts';
import type { SessionAgent } from '#contract/agents.ts';
import type { Entry, QueuedEntry } from '#contract/entries.ts';
import type { EventInput } from '#contract/events.ts';
import type { Hands } from '#contract/run.ts';
import type { WayOutWorld } from '#core/hands/provision.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import type { Journal } from '#core/ports/journal.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { ReservedSandbox, SandboxClient } from '#core/ports/sandboxes.ts';
import { toolRules } from '#core/tools/tool-definitions.ts';
import { createAttachedFiles } from '#core/harness/attached-files.ts';
import { queuedMessages } from '#core/harness/history.ts';
import { fullTokens } from '#core/model/room.ts';
import type { Command } from '#core/session/commands.ts';
import { decide } from '#core/session/decide.ts';
import { fold } from '#core/session/evolve.ts';

export const KEY: LogKey = { session: SessionId.parse('sesn_1'), thread: ThreadId.parse('sthr_1') };
export const NOW = '2026-11-21T10:00:00.000Z';

export const AGENT: SessionAgent = {
  id: AgentId.parse('agent_1'),
  type: 'agent',
  version: 1,
  name: 'Ada',
  description: null,
  system: 'You are Ada.',
  model: { id: 'claude-opus-5', effort: { type: 'high' }, speed: 'standard' },
  tools: [
    {
      type: 'agent_toolset_20260401',
      default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
      configs: [],
    },
  ],
  mcp_servers: [],
  skills: [],
  multiagent: null,
  execution_identity: { type: 'service_account' },
};

export const createdWith = (agent: SessionAgent): Entry => ({
  record: {
    kind: 'session.created',
    at: NOW,
    workspace: WorkspaceId.parse('wrkspc_1'),
    thread: KEY.thread,
    agent,
    environment: EnvironmentId.parse('env_1'),
  },
});

export const CREATED: Entry = createdWith(AGENT);

/** A journal that drops its lines and metrics. */
export const SILENT: Journal = { line: () => undefined, metric: () => undefined };

/** The session's first environment. */
/** What a sandbox client does in a session that has no contents. */
export const NO_CONTENTS: Omit<SandboxClient, 'execute' | 'cancel'> = {
  expect: async () => ({ status: 'told', lacking: [] }),
  put: async () => ({ status: 'put', refused: [] }),
  changes: async () => null,
  read: async () => null,
  keep: async () => undefined,
};

/** Stands for a port that a test does not use. */
function unused<Port extends object>(): Port {
  return new Proxy({} as Port, {
    get(_, name) {
      throw new Error(`this test has no port for ${String(name)}`);
    },
  });
}

/** What contents come from and go to, in a session that has none. */
export const NO_SOURCES = {
  wayOut: { proxies: unused<Ports['proxies']>(), hmac: () => 'hmac', warm: 0, isClosed: true },
  archiveReader: { read: async () => null },
  contents: { find: async () => null },
  skills: unused<Ports['skills']>(),
  files: unused<Ports['files']>(),
  outputs: unused<Ports['outputs']>(),
  blobs: unused<Ports['blobs']>(),
  leftovers: unused<Ports['leftovers']>(),
  memoryStores: unused<Ports['memoryStores']>(),
  memories: unused<Ports['memories']>(),
  newToken: () => 'token',
  sha256: (text: string) => createHash('sha256').update(text).digest('hex'),
};

/** What a sandbox reaches and finds, in a session without environment and vaults. */
export const NO_WAY_OUT = {
  max: 'none',
  ...{ warm: 0, proxies: unused<Ports['proxies']>(), proxyTasks: null },
  ...{ environments: unused<Ports['environments']>(), sessionReader: { find: async () => null } },
  ...{ vaults: unused<Ports['vaults']>(), credentials: unused<Ports['credentials']>() },
} satisfies WayOutWorld;

/** For requests in which no file is named. */
export const NO_FILES = createAttachedFiles({ blobs: unused<Ports['blobs']>() });

/** Of a session that begins no other thread. */
export const NO_TEAM = {
  runs: { start: async () => 'started' },
  threads: { find: async () => null, list: async () => ({ rows: [], more: null }) },
} satisfies Partial<TurnWorld>;

/** What the grader reads, in a session that wrote nothing. */
export const NO_OUTPUTS = {
  outputs: { ...NO_SOURCES.outputs, list: async () => [] },
  files: NO_SOURCES.files,
  blobs: NO_SOURCES.blobs,
} satisfies Partial<TurnWorld>;

export const SANDBOX: ReservedSandbox = {
  status: 'ready',
  generation: 1,
  token: 't',
  task: 'task',
  address: 'sandbox:1',
  lastUsedAt: NOW,
  packages: null,
  archive: null,
  readyAt: NOW,
};

/** Ids are counted instead of random, and time stands still unless a test moves it. */
export function steadyStamp(start = 1): Stamp & { advance(ms: number): void } {
  let count = start;
  let now = Date.parse(NOW);
  return {
    now: () => new Date(now).toISOString(),
    eventId: () => EventId.parse(`sevt_${count++}`),
    advance: (ms) => {
      now += ms;
    },
  };
}

export function answer(parts: Partial<ModelAnswer> = {}): ModelAnswer {
  return {
    model: 'claude-opus-5',
    stopReason: 'end_turn',
    stopDetails: null,
    blocks: [{ type: 'text', text: 'Hello.' }],
    usage: { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 2, cache_creation_input_tokens: 1 },
    ...parts,
  };
}

export const toolUse = (id: string, name = 'bash', input: unknown = { command: 'ls' }) => ({
  type: 'tool_use',
  id,
  name,
  input,
});

/** `event.type`, or the record's kind in brackets: the shape of a log at a glance. */
export function outline(entries: readonly Entry[]): readonly string[] {
  return entries.map((entry) => ('event' in entry ? entry.event.type : `[${entry.record.kind}]`));
}

export interface Scenario {
  readonly entries: readonly Entry[];
  readonly head: Head;
  /** The entries of the last command. */
  readonly then: readonly Entry[];
  readonly refusal: string | null;
  when(command: Command | ((scenario: Scenario) => Command)): Scenario;
}

/** The rules that AGENT's tools have. */
export const RULES = toolRules(AGENT, []);

export function given(entries: readonly Entry[] = [CREATED], stamp = steadyStamp()): Scenario {
  return scenario(entries, [], null, stamp);
}

function scenario(entries: readonly Entry[], then: readonly Entry[], refusal: string | null, stamp: Stamp): Scenario {
  const head = fold(null, entries);
  const self: Scenario = {
    entries,
    head,
    then,
    refusal,
    when(command) {
      const decision = decide(head, typeof command === 'function' ? command(self) : command, stamp);
      if (decision.status === 'refused') return scenario(entries, [], decision.message, stamp);
      return scenario([...entries, ...decision.entries], decision.entries, null, stamp);
    },
  };
  return self;
}

/** The queued messages, as the harness hands them to a claim. */
export function queuedIn({ entries, head }: Scenario): readonly QueuedEntry[] {
  return queuedMessages({ first: FIRST_POSITION, entries, head });
}

export const says = (text: string): EventInput => ({ type: 'user.message', content: [{ type: 'text', text }] });

export const sends = (...events: readonly EventInput[]): Command => ({ do: 'send', events });

export const send = (text: string): Command => sends(says(text));

export const REQUEST = EventId.parse('sevt_request');

export const claim =
  (request = REQUEST) =>
  (current: Scenario): Command => ({ do: 'claim', request, taken: queuedIn(current) });

export const IDS = { message: EventId.parse('sevt_message'), thinking: EventId.parse('sevt_thinking') };

/** Usage of an answer after which the context is full. */
export const FULL = { ...answer().usage, input_tokens: fullTokens(AGENT.model.id) };

export const summarised = (summary = 'They greeted.', request = REQUEST): Command => ({
  do: 'compacted',
  request,
  summary,
  usage: answer().usage,
  agent: AGENT,
  guides: {},
  outcome: null,
});

export const answerWith = (parts: Partial<ModelAnswer> = {}, request = REQUEST): Command => ({
  do: 'answer',
  request,
  answer: answer(parts),
  rules: RULES,
  ids: IDS,
  verdicts: new Map(),
  earlier: [],
});

/** In a test, the function of a hand is named for its kind. */
export const HANDS: Hands = {
  sandbox: { function: 'arn:sandbox', timeoutSeconds: 915 },
  web: { function: 'arn:web', timeoutSeconds: 75 },
  mcp: { function: 'arn:mcp', timeoutSeconds: 135 },
};

/** For agents without MCP servers: a call of the proxy makes the test fail. */
export const NO_MCP: Pick<TurnWorld, 'mcp' | 'sha256'> = {
  mcp: {
    list: () => Promise.reject(new Error('this agent has no MCP servers')),
    judge: () => Promise.reject(new Error('this agent has no MCP servers')),
  },
  sha256: (text) => createHash('sha256').update(text).digest('hex'),
};
