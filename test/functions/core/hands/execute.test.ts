import { describe, expect, it } from 'vitest';
import type { Entry } from '#contract/entries.ts';
import {
  CredentialId,
  EventId,
  Instant,
  mainHand,
  Position,
  SessionId,
  ThreadId,
  VaultId,
  WorkspaceId,
} from '#contract/ids.ts';
import type { ExecuteResponse } from '#contract/hands.ts';
import type { ExecuteInput } from '#contract/run.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import { fold } from '#core/session/evolve.ts';
import type { ReservedSandbox, SandboxRecord } from '#core/ports/sandboxes.ts';
import {
  CREATED,
  KEY,
  NOW,
  NO_CONTENTS,
  NO_SOURCES,
  SILENT,
  given,
  send,
  steadyStamp,
} from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const BASH = EventId.parse('sevt_bash');
const LONG_AGO = Instant.parse(new Date(Date.parse(NOW) - 61_000).toISOString());

const common = { generation: 2, token: 't', lastUsedAt: NOW, packages: null, archive: null };
const start = { attempt: 1, since: NOW, notBefore: NOW, watcher: 'w', watchedUntil: NOW };
const READY: ReservedSandbox = { ...common, status: 'ready', task: 'task', address: 'sandbox:1', readyAt: NOW };
const STALE: SandboxRecord = { ...READY, lastUsedAt: LONG_AGO };
const STARTING: SandboxRecord = { ...common, status: 'starting', ...start };
const LOST: SandboxRecord = { ...common, status: 'lost', task: null };
const FAILED: SandboxRecord = { ...common, status: 'failed', reason: 'pip found nothing', retryAt: NOW };

const OWNER = { session: SessionId.parse('sesn_owner'), thread: ThreadId.parse('sthr_owner') };
const PASSED = mainHand(OWNER.session);
const heldSince = (at: Instant): Entry => ({
  record: { kind: 'hand.held', at, hand: PASSED, holder: KEY, lender: OWNER },
});

/** Of a sandbox with a variable, which no host may get when it is `unreachable`. */
const network = (unreachable?: true) => ({
  ...{ workspace: WorkspaceId.parse('wrkspc_1'), reach: { type: 'none' as const } },
  variables: [
    {
      ...{ name: 'KEY', vault: VaultId.parse('vlt_1'), credential: CredentialId.parse('vcrd_1') },
      ...(unreachable && { unreachable }),
    },
  ],
});

/** The call is of a hand that another session has passed. */
interface Passed {
  /** That session's log; null when it was deleted. */
  readonly owner: readonly Entry[] | null;
  readonly since?: Instant;
}

/** A call of bash that is open, a sandbox's record, and the generation with which an earlier attempt marked the call. */
function stage(
  record: SandboxRecord | null,
  mark: number | null = null,
  { passed, answered = {} }: { readonly passed?: Passed; readonly answered?: Partial<ExecuteResponse> } = {},
) {
  const bash = { type: 'agent.tool_use', id: BASH, name: 'bash', input: { command: 'ls' }, processed_at: NOW };
  const held = passed === undefined ? [] : [heldSince(passed.since ?? NOW)];
  const entries = [...given([CREATED, ...held]).when(send('hi')).entries, { event: bash } as Entry];
  const log = memoryLog();
  log.create(KEY, fold(null, entries), entries);
  if (passed?.owner) log.create(OWNER, fold(null, passed.owner), passed.owner);
  const named: (string | undefined)[] = [];
  const marked: number[] = [];
  const sent: string[] = [];
  const told: number[] = [];
  const world: ExecuteWorld = {
    log,
    sandboxes: {
      find: async () => record,
      ofSession: async () => [],
      reserve: async () => READY,
      watch: async () => READY,
      ready: async () => READY,
      lost: async () => undefined,
      told: async (_hand, _thread, generation) => void told.push(generation),
      failed: async () => READY,
      send: async (_hand, _call, generation) => {
        marked.push(generation);
        return { record, sentTo: mark ?? generation, again: mark !== null };
      },
      sentTo: async () => mark,
    },
    sandboxClient: {
      async execute(_place, { call, contents }) {
        sent.push(call);
        named.push(contents);
        return {
          status: 'answered',
          response: { output: 'ran', isError: false, served: 'ran', durationMs: 1, ...answered },
        };
      },
      ...NO_CONTENTS,
      cancel: () => undefined,
    },
    ...NO_SOURCES,
    stamp: steadyStamp(),
    pause: () => new Promise((resolve) => void setImmediate(resolve)),
    journal: SILENT,
  };
  const position = Position.parse(entries.length);
  const before = log.entries(KEY).length;
  const run = (sandbox: ExecuteInput['sandbox']) =>
    execute(world, {
      ...{ ...KEY, sandbox },
      call: { id: BASH, position, sincePosition: position, ...(passed && { hand: PASSED }) },
    });
  return {
    run,
    named,
    state: async () => (await log.head(KEY))?.state,
    marked,
    sent,
    told,
    added: () => JSON.stringify(log.entries(KEY).slice(before)),
    addedToOwner: () => JSON.stringify(log.entries(OWNER).slice(passed?.owner?.length)),
  };
}

describe('a call of a sandbox’s tool', () => {
  it.each<[string, SandboxRecord | null, number | undefined]>([
    ['there was none', null, undefined],
    [
      'its packages are known only',
      { status: 'planned', generation: 0, packages: { apt: [], cargo: [], gem: [], go: [], npm: [], pip: ['x'] } },
      undefined,
    ],
    ['it starts', STARTING, undefined],
    ['it starts again after provision was asked', STARTING, 1],
    ['it is lost', LOST, undefined],
    ['it is lost after provision was asked', LOST, 2],
    ['it failed for an earlier call', FAILED, undefined],
    ['it was idle for so long that it may have ended', STALE, undefined],
    ['it was replaced since provision was asked, and may have ended', STALE, 1],
  ])('marks and sends nothing when the sandbox is not ready: %s', async (_what, record, generation) => {
    const { run, marked, sent, added } = stage(record);
    expect(await run(generation === undefined ? undefined : { generation })).toBe('sandbox not ready');
    expect([marked, sent, added()]).toEqual([[], [], '[]']);
  });

  it.each<[string, SandboxRecord, number | undefined]>([
    ['was used a moment ago', READY, undefined],
    ['was just looked at by provision', STALE, 2],
    ['is newer than the one that provision looked at', READY, 1],
  ])('is made in a sandbox that %s', async (_what, record, generation) => {
    const { run, marked, sent, added } = stage(record);
    expect(await run(generation === undefined ? undefined : { generation })).toBe('ended');
    expect([marked, sent]).toEqual([[2], [BASH]]);
    expect(added()).toContain('"ran"');
  });

  it('tells people of a variable that no host may get, before its result', async () => {
    const { run, added } = stage({ ...READY, network: network(true) });
    await run(undefined);
    expect(added()).toMatch(/"credential_host_unreachable_error".*"ran"/);
    const reached = stage({ ...READY, network: network() });
    await reached.run(undefined);
    expect(reached.added()).not.toContain('session.error');
  });

  it('tells the model why there is no sandbox', async () => {
    const { run, sent, added } = stage(FAILED);
    expect(await run({ generation: 2 })).toBe('ended');
    expect(sent).toEqual([]);
    expect(added()).toContain('pip found nothing');
  });

  it.each<[string, SandboxRecord | null]>([
    ['lost', LOST],
    ['replaced', { ...READY, generation: 3 }],
    ['replaced by one that starts', { ...STARTING, generation: 3 }],
    ['replaced by one that failed', { ...FAILED, generation: 3 }],
    ['replaced by one that may have ended', { ...STALE, generation: 3 }],
  ])('that was sent before is sent to no other sandbox when its own is %s', async (_what, record) => {
    const { run, sent, added } = stage(record, 2);
    expect(await run(undefined)).toBe('sandbox lost');
    expect(sent).toEqual([]);
    expect(added()).toContain('may or may not have run');
  });

  it('that was sent before joins its sandbox, however long ago that was', async () => {
    const { run, marked, sent } = stage(STALE, 2);
    expect(await run(undefined)).toBe('ended');
    expect([marked, sent]).toEqual([[], [BASH]]);
  });

  it('tells its clients which repositories could not be cloned, and goes on', async () => {
    const url = 'https://github.com/acme/app';
    const failure = { type: 'repository_not_found_error', url, message: 'it is not there' } as const;
    const { run, added } = stage(READY, null, { answered: { failedClones: [failure], notes: ['(not there)'] } });
    await run(undefined);
    const retry_status = { type: 'retrying' };
    expect(JSON.parse(added())).toMatchObject([
      {
        event: {
          type: 'session.error',
          error: { type: failure.type, repository_url: url, message: failure.message, retry_status },
        },
      },
      { event: { type: 'agent.tool_result', content: [{ text: 'ran\n(not there)' }], is_error: false } },
    ]);
  });

  it('tells in its first result that the sandbox replaces another one', async () => {
    const { run, told, added } = stage({ ...READY, replaces: true });
    await run(undefined);
    expect(added()).toContain('(This is a new sandbox. The earlier one has ended;');
    expect(told).toEqual([2]);
    for (const record of [READY, { ...READY, replaces: true, told: new Set([KEY.thread]) }]) {
      const later = stage(record);
      await later.run(undefined);
      expect(later.added()).not.toContain('new sandbox');
      expect(later.told).toEqual([]);
    }
    const other = stage({ ...READY, replaces: true, told: new Set(['sthr_other']) });
    await other.run(undefined);
    expect(other.added()).toContain('new sandbox');
  });
});

describe('a call in a hand that another session has passed', () => {
  const OWNED: readonly Entry[] = [ownerCreated(), heldSince(NOW)];
  const at = (instant: Instant) => ({ record: { kind: 'contents.changed' as const, at: instant } });

  it('is made there, where the files of that session are', async () => {
    const { run, marked, sent, named, told, added } = stage(READY, null, {
      passed: { owner: [...OWNED, at(NOW), at(NOW)] },
    });
    expect(await run(undefined)).toBe('ended');
    expect([marked, sent]).toEqual([[2], [BASH]]);
    expect(added()).toContain('ran"');
    expect(named[0]).toMatch(/^2/);
    expect(added()).toContain('(This sandbox was passed to you. ');
    expect(told).toEqual([2]);
    const later = stage({ ...READY, told: new Set([KEY.thread]) }, null, { passed: { owner: OWNED } });
    await later.run(undefined);
    expect([later.added().includes('was passed to you'), later.told]).toEqual([false, []]);
  });

  it.each<[string, readonly Entry[] | null, string]>([
    ['passes it no more', [ownerCreated()], 'so this call was not made'],
    [
      'passes it to another one',
      [ownerCreated(), { record: { ...heldRecord(), holder: { ...KEY, session: SessionId.parse('sesn_third') } } }],
      'so this call was not made',
    ],
    [
      'is archived',
      [
        ...OWNED,
        {
          event: {
            ...{ type: 'session.thread_status_terminated', id: EventId.parse('sevt_end'), processed_at: NOW },
            ...{ session_thread_id: OWNER.thread, agent_name: 'Ada' },
          },
        },
      ],
      'so this call was not made',
    ],
    ['was deleted', null, 'may or may not have run'],
  ])('is not made when that session %s, and the next one goes to the own sandbox', async (_what, owner, text) => {
    const { run, marked, sent, added, state } = stage(READY, null, { passed: { owner } });
    expect(await run(undefined)).toBe('ended');
    expect([marked, sent]).toEqual([[], []]);
    expect(added()).toContain(text);
    expect(added()).toContain('"reason":"gone"');
    expect(await state()).toMatchObject({ calls: [] });
    expect((await state())?.hands).toBeUndefined();
  });

  it('tells that session, and not its own, of a variable that no host may get', async () => {
    const record = { ...READY, network: network(true) };
    const { run, added, addedToOwner } = stage(record, null, { passed: { owner: OWNED } });
    await run(undefined);
    expect(added()).not.toContain('session.error');
    expect(addedToOwner()).toContain('"credential_host_unreachable_error"');
  });

  it('goes on when it was sent before that session took its hand back', async () => {
    const { run, sent, added } = stage(READY, 2, { passed: { owner: [ownerCreated()] } });
    expect(await run(undefined)).toBe('ended');
    expect(sent).toEqual([BASH]);
    expect(added()).toContain('ran"');
  });

  it('tells of a sandbox that was lost only when the thread held the hand before', async () => {
    const replacing = { ...READY, replaces: true, readyAt: NOW };
    for (const [since, isTold] of [
      [LONG_AGO, true],
      [NOW, false],
    ] as const) {
      const { run, added } = stage(replacing, null, { passed: { owner: OWNED, since } });
      await run(undefined);
      expect(added().includes('(This is a new sandbox.')).toBe(isTold);
    }
  });
});

function heldRecord() {
  const entry = heldSince(NOW);
  return 'record' in entry && entry.record.kind === 'hand.held' ? entry.record : expect.fail('no record');
}

function ownerCreated(): Entry {
  return 'record' in CREATED && CREATED.record.kind === 'session.created'
    ? { record: { ...CREATED.record, thread: OWNER.thread } }
    : expect.fail('no record');
}
