import { setImmediate as settled } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ToolContent } from '#contract/content.ts';
import type { Entry } from '#contract/entries.ts';
import { resultFile, type ContentsResponse, type ExecuteRequest, type Manifest } from '#contract/hands.ts';
import { PACKAGES_DIR } from '#contract/packages.ts';
import { EventId, Position } from '#contract/ids.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import { change } from '#core/session/change.ts';
import { fold } from '#core/session/evolve.ts';
import type { ReservedSandbox } from '#core/ports/sandboxes.ts';
import {
  CREATED,
  KEY,
  NOW,
  NO_CONTENTS,
  NO_SOURCES,
  SANDBOX,
  SILENT,
  given,
  send,
  sends,
  steadyStamp,
} from '#test/functions/core/given.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

const BASH = EventId.parse('sevt_bash');
const A = EventId.parse('sevt_a');
const B = EventId.parse('sevt_b');
const SECOND = EventId.parse('sevt_second');
const SMALL = EventId.parse('sevt_small');
const LARGE: ToolContent = [
  { type: 'text', text: 'a'.repeat(100_001) },
  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGk=' } },
  { type: 'text', text: 'the end' },
];
const WHOLE = `${'a'.repeat(100_001)}\nthe end`;

/** Results of earlier MCP calls, then a call of bash that is open. */
function entriesWith(results: readonly (readonly [EventId, ToolContent])[]): readonly Entry[] {
  const told = results.flatMap(([id, content]) => [
    { type: 'agent.mcp_tool_use', id, name: 'find', mcp_server_name: 'tracker', input: {} },
    { type: 'agent.mcp_tool_result', id: `sevt_of_${id}`, mcp_tool_use_id: id, content, is_error: false },
  ]);
  const bash = { type: 'agent.tool_use', id: BASH, name: 'bash', input: { command: 'ls' } };
  const events = [...told, bash].map((event) => ({ event: { ...event, processed_at: NOW } }) as Entry);
  return [...given([CREATED]).when(send('hi')).entries, ...events];
}

interface Staged {
  readonly holds?: readonly EventId[];
  readonly sandbox?: ReservedSandbox;
  readonly archive?: 'built' | 'missing';
}

/** A sandbox that holds these results, and a record of the requests that it receives. */
function stage(entries: readonly Entry[], { holds = [], sandbox = SANDBOX, archive = 'built' }: Staged = {}) {
  const log = memoryLog();
  log.create(KEY, fold(null, entries), entries);
  const files = new Map<string, string>(holds.map((call) => [resultFile(call), 'there']));
  const asked: ExecuteRequest[] = [];
  const given: string[] = [];
  const lost: number[] = [];
  const read: number[] = [];
  const stamp = steadyStamp();
  const waitsForPackages = sandbox.packages !== null;
  let manifest: Manifest | null = null;
  let isOld = false;
  let second = () => undefined as void;
  let whileGiving = async () => undefined as void;
  let outcome: 'kept' | 'superseded' | 'refused' | 'interrupted' | 'broken' | 'killed' = 'kept';
  const lackingOf = (part: Pick<Manifest, 'entries'> | undefined) =>
    part?.entries.map(({ path }) => path).filter((path) => !files.has(path)) ?? [];
  const lacking = () => [...lackingOf(manifest ?? undefined), ...lackingOf(manifest?.thread)];
  const lacks = (version: string | undefined, part: Pick<Manifest, 'entries' | 'version'> | undefined) =>
    version !== undefined && (part?.version !== version || lackingOf(part).length > 0);
  const isAwaiting = ({ contents, thread }: ExecuteRequest) =>
    (waitsForPackages && !files.has(PACKAGES_DIR)) ||
    lacks(contents, manifest ?? undefined) ||
    lacks(thread?.contents, manifest?.thread);
  const world: ExecuteWorld = {
    log: {
      ...log,
      entryAt: (key, position) => {
        read.push(position);
        return log.entryAt(key, position);
      },
    },
    sandboxes: {
      find: async () => sandbox,
      ofSession: async () => [],
      reserve: async () => sandbox,
      watch: async () => sandbox,
      ready: async () => sandbox,
      lost: async (_hand, generation) => void lost.push(generation),
      told: async () => undefined,
      failed: async () => sandbox,
      sentTo: async () => null,
      send: async () => ({ record: sandbox, sentTo: sandbox.generation, again: false }),
    },
    sandboxClient: {
      ...NO_CONTENTS,
      async execute(_place, request) {
        asked.push(request);
        if (isOld && request.thread !== undefined) return { status: 'refused', reason: 'HTTP 400' };
        if (isAwaiting(request)) return { status: 'awaits contents' };
        const { notes } = request;
        const response = { output: 'ok', isError: false, served: 'ran', durationMs: 1, notes } as const;
        return { status: 'answered', response };
      },
      async expect(_place, next) {
        manifest = next;
        return { status: 'told', lacking: [...lacking(), '/workspace/that-no-source-knows'] };
      },
      async put(_place, parcels) {
        const refused: ContentsResponse['refused'] = [];
        for await (const { entry, content } of parcels) {
          given.push(entry.version);
          await whileGiving();
          if (outcome === 'killed') throw new Error('killed');
          if (outcome === 'broken') return { status: 'interrupted' };
          const now = outcome;
          outcome = 'kept';
          if (now === 'interrupted') return { status: 'interrupted' };
          const pieces: Uint8Array[] = [];
          for await (const piece of content.body) pieces.push(piece);
          if (now === 'kept' || now === 'superseded') files.set(entry.path, Buffer.concat(pieces).toString());
          if (now === 'superseded') refused.push({ path: entry.path, reason: 'it is not in it', isSuperseded: true });
          if (now === 'refused') refused.push({ path: entry.path, reason: 'the disk is full' });
        }
        return { status: 'put', refused };
      },
      cancel: () => undefined,
    },
    ...NO_SOURCES,
    archiveReader: {
      async read() {
        if (archive === 'missing') return null;
        return {
          bytes: 7,
          body: (async function* () {
            yield new TextEncoder().encode('archive');
          })(),
        };
      },
    },
    stamp,
    pause: async (ms) => (ms < 1000 ? stamp.advance(ms) : new Promise((resolve) => void (second = resolve))),
    journal: SILENT,
  };
  const position = Position.parse(entries.length);
  return {
    files,
    asked,
    given,
    lost,
    read,
    next: (now: typeof outcome) => (outcome = now),
    /** Makes the sandbox one of a version that has no route for contents. */
    age: () => (isOld = true),
    /** A program that removes whatever is put. */
    loseAll: () => (files.set = () => files),
    /** Makes a client interrupt while a result is sent, and lets a second pass. */
    interrupt() {
      whileGiving = async () => {
        const head = (await log.head(KEY)) ?? expect.fail('no log');
        await change({ log, stamp }, KEY, head, sends({ type: 'user.interrupt' }));
        second();
        await settled();
      };
    },
    /** While the first contents are sent, the session's contents change and another call begins. */
    whileFirstContents(begin: () => void) {
      whileGiving = async () => {
        whileGiving = async () => undefined;
        const head = (await log.head(KEY)) ?? expect.fail('no log');
        await change({ log, stamp }, KEY, head, { do: 'change contents' });
        begin();
        for (let turn = 0; turn < 5; turn += 1) await settled();
      };
    },
    run: (id = BASH, at = position) =>
      execute(world, {
        ...KEY,
        call: { id, position: at, sincePosition: at },
        sandbox: { generation: sandbox.generation },
      }),
    results: () =>
      JSON.stringify(
        log
          .entries(KEY)
          .filter((entry) => 'event' in entry)
          .slice(-2),
      ),
    result: () => log.entries(KEY).at(-1),
  };
}

const DONE = { event: { type: 'agent.tool_result', tool_use_id: BASH, content: [{ text: 'ok' }] } };

describe('a call in the sandbox of a session with large results', () => {
  it('finds the full text of every result that the model is shown in part', async () => {
    const { run, files, asked, result } = stage(
      entriesWith([
        [A, LARGE],
        [SMALL, [{ type: 'text', text: 'few' }]],
        [B, LARGE],
      ]),
    );
    await run();
    expect([...files]).toEqual([
      [resultFile(A), WHOLE],
      [resultFile(B), WHOLE],
    ]);
    expect(asked.map(({ contents, thread }) => [contents, thread?.contents])).toEqual([
      [undefined, B],
      [undefined, B],
    ]);
    expect(result()).toMatchObject(DONE);
  });

  it('sends the sandbox only the results that it lacks', async () => {
    const { run, given, asked } = stage(
      entriesWith([
        [A, LARGE],
        [B, LARGE],
      ]),
      { holds: [A] },
    );
    await run();
    expect(given).toEqual([B]);
    expect(asked).toHaveLength(2);
    const other = stage(entriesWith([[A, LARGE]]), { holds: [A] });
    await other.run();
    expect({ given: other.given, read: other.read.length }).toEqual({ given: [], read: 1 });
  });

  it('names no contents when the session has none', async () => {
    const { run, asked, read } = stage(entriesWith([[SMALL, [{ type: 'text', text: 'few' }]]]));
    await run();
    expect(asked).toHaveLength(1);
    expect(asked[0]).not.toHaveProperty('contents');
    expect(asked[0]?.thread).toEqual({ id: KEY.thread });
    expect(read).toHaveLength(1);
  });

  it('is made without a result that the sandbox cannot store', async () => {
    const { run, next, files, result } = stage(
      entriesWith([
        [A, LARGE],
        [B, LARGE],
      ]),
    );
    next('refused');
    await run();
    expect([...files.keys()]).toEqual([resultFile(B)]);
    expect(result()).toMatchObject(DONE);
  });

  it('still asks for its contents when another call has brought newer ones', async () => {
    const { run, next, asked, result } = stage(entriesWith([[A, LARGE]]));
    next('superseded');
    await run();
    expect(asked.map(({ thread }) => thread?.contents)).toEqual([A, A]);
    expect(result()).toMatchObject(DONE);
  });

  it('is made without contents in a sandbox that has no route for them', async () => {
    const { run, age, given, result } = stage(entriesWith([[A, LARGE]]));
    age();
    await run();
    expect(given).toEqual([]);
    expect(result()).toMatchObject(DONE);
  });

  it('is made without contents, and says so, when the connection breaks each time', async () => {
    const { run, next, given, files, result } = stage(entriesWith([[A, LARGE]]));
    next('broken');
    await run();
    expect(given).toHaveLength(4);
    expect([...files]).toEqual([]);
    const text = expect.stringMatching(/^ok\n\(Files of this session could not be put/);
    expect(result()).toMatchObject({ event: { ...DONE.event, content: [{ text }] } });
  });

  it('is retried when the connection breaks while a result is sent', async () => {
    const { run, next, given, asked, result } = stage(entriesWith([[A, LARGE]]));
    next('interrupted');
    await run();
    expect(given).toEqual([A, A]);
    expect(asked).toHaveLength(3);
    expect(result()).toMatchObject(DONE);
  });

  it('is not made when it is interrupted while a result is sent', async () => {
    const { run, interrupt, given, asked } = stage(entriesWith([[A, LARGE]]));
    interrupt();
    await run();
    expect(given).toEqual([A]);
    expect(asked).toHaveLength(1);
  });

  it('is made by the next attempt when a process dies between the file and the call', async () => {
    const { run, next, asked, given, result } = stage(
      entriesWith([
        [A, LARGE],
        [B, LARGE],
      ]),
      { holds: [A] },
    );
    next('killed');
    await expect(run()).rejects.toThrow('killed');
    expect(result()).not.toMatchObject(DONE);
    next('kept');
    await run();
    expect(given).toEqual([B, B]);
    expect(asked).toHaveLength(3);
    expect(result()).toMatchObject(DONE);
  });

  it('finds what was added while its sandbox was given the rest, and so does a call beside it', async () => {
    const calls = [BASH, SECOND].map((id): Entry => {
      const use = { id, name: 'read', input: { file_path: 'a' }, evaluated_permission: 'allow' as const };
      return { event: { type: 'agent.tool_use', ...use, processed_at: NOW } };
    });
    const mounted: Entry = { record: { kind: 'contents.changed', at: NOW } };
    const entries = [...entriesWith([[A, LARGE]]).slice(0, -1), mounted, ...calls];
    const { run, whileFirstContents, asked, results } = stage(entries);
    const second = Promise.withResolvers<unknown>();
    whileFirstContents(() => second.resolve(run(SECOND, Position.parse(entries.length))));
    await Promise.all([run(BASH, Position.parse(entries.length - 1)), second.promise]);
    const asking = (id: EventId) =>
      asked.filter(({ call }) => call === id).map(({ contents }) => contents?.split(' ')[0]);
    // The first one's version is outdated when it is given; after that both ask for one version.
    expect(asking(BASH)).toEqual(['1', '1', '2']);
    expect(new Set(asking(SECOND))).toEqual(new Set(['2']));
    expect(results().match(/"text":"ok"/g)).toHaveLength(2);
  });

  it('is made without contents that are removed again and again', async () => {
    const { run, loseAll, given, result } = stage(entriesWith([[A, LARGE]]));
    loseAll();
    await run();
    expect(given).toHaveLength(4);
    expect(result()).toMatchObject(DONE);
  });
});

describe('a call in a sandbox that waits for its packages', () => {
  const archive = 'a'.repeat(64);
  const packages = { apt: [], cargo: [], gem: [], go: [], npm: ['left-pad'], pip: [] };
  const sandbox: ReservedSandbox = { ...SANDBOX, generation: 3, packages, archive };
  const textOf = (entry: Entry | undefined) => JSON.stringify(entry);

  it.each(['kept', 'interrupted'] as const)(
    'is made when they are put, also after a first stream was %s',
    async (first) => {
      const { run, next, given, lost, result } = stage(entriesWith([]), { sandbox });
      next(first);
      await run();
      expect(new Set(given)).toEqual(new Set([archive]));
      expect(lost).toEqual([]);
      expect(result()).toMatchObject(DONE);
    },
  );

  it.each([
    ['missing', 'The installed packages of this environment are gone; they will be installed again.'],
    ['refused', 'The sandbox could not take the packages of this environment.'],
  ] as const)('ends the sandbox when its archive is %s, and the model reads the reason', async (why, words) => {
    const { run, next, lost, result } = stage(entriesWith([]), { sandbox, archive: why === 'missing' ? why : 'built' });
    if (why === 'refused') next('refused');
    await run();
    expect(lost).toEqual([3]);
    expect(textOf(result())).toContain(`${words} This call had no effect. The next call gets a new sandbox.`);
  });

  it('ends the sandbox when its record knows no archive', async () => {
    const { run, given, lost, result } = stage(entriesWith([]), { sandbox: { ...sandbox, archive: null } });
    await run();
    expect({ lost, given }).toEqual({ lost: [3], given: [] });
    expect(textOf(result())).toContain('This call had no effect.');
  });
});
