/** A session with a file and a memory in a real sandbox server, over real adapters, and a process that can die. */
import { expect } from 'vitest';
import type { Entry } from '#contract/entries.ts';
import { BlobKey } from '#contract/files.ts';
import { MEMORY_DIR, UPLOADS_DIR } from '#contract/hands.ts';
import {
  EventId,
  FIRST_POSITION,
  FileId,
  type Instant,
  MemoryStoreId,
  Position,
  primaryThread,
  ResourceId,
  SessionId,
  ThreadId,
  mainHand,
} from '#contract/ids.ts';
import type { SandboxNetwork } from '#contract/egress.ts';
import type { ExecuteInput } from '#contract/run.ts';
import type { SessionContents } from '#contract/resources.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createOutputRecords } from '#aws/files/outputs.dynamodb.ts';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createMemories } from '#aws/memory/memories.dynamodb.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { createStamp, newToken, pause, sha256 } from '#aws/stamp.ts';
import { createTable } from '#aws/table.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import type { AskedWayOut } from '#core/hands/way-out.ts';
import { harvestIdle, harvestTurn } from '#core/hands/harvest.ts';
import { createMemory, updateMemory } from '#core/memory/write-memory.ts';
import { next } from '#core/harness/next.ts';
import { queuedMessages } from '#core/harness/history.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { fold } from '#core/session/evolve.ts';
import {
  answerWith,
  toolUse,
  CREATED,
  given,
  NO_SOURCES,
  NOW,
  SANDBOX,
  send,
  sends,
  SILENT,
} from '#test/functions/core/given.ts';
import { mortal } from '#test/functions/mortal.ts';
import { createMemoryBlobs } from '#test/ports/blobs.memory.ts';
import type { TestDynamoDb } from '#test/ports/dynamodb.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';
import { startSandbox, TOKEN } from '#test/sandbox-task/running-sandbox.ts';

export const NOTES = `${MEMORY_DIR}/notes`;

const idOf = (name: string) => EventId.parse(`sevt_${name}`);

/** More than a model is shown of a result. */
export const LONG = 'x'.repeat(100_001);

interface StageOptions {
  /** Threads beside the primary one, each with the calls of bash in its log. */
  readonly beside?: Readonly<Record<string, readonly string[]>>;
  /** MCP calls with long results in the log of a thread; the primary one is `primary`. */
  readonly long?: Readonly<Record<string, readonly string[]>>;
  /** Another one may stand in for the fixed record. */
  readonly sandboxes?: (address: string, session: SessionId) => Promise<ExecuteWorld['sandboxes']>;
  /** With a real clock an interrupt is seen. */
  readonly clock?: 'real';
  /** When a thread began. */
  readonly began?: Readonly<Record<string, Instant>>;
  /** Without it, what a dead process has begun to take over is taken over at once. */
  readonly takerSilenceMs?: number;
  /** Its programs reach a network, and find their way out at this port. */
  readonly wayOut?: { readonly port: number; readonly network: SandboxNetwork; readonly asked: AskedWayOut };
}

/** @param commands of calls of bash, in their order, of the primary thread and of those beside */
export async function stageSandbox<Name extends string>(
  db: TestDynamoDb,
  commands: Readonly<Record<Name, string>>,
  { beside = {}, long = {}, sandboxes, clock, began = {}, takerSilenceMs = 0, wayOut }: StageOptions = {},
) {
  const sandbox = await startSandbox('tcp', null, {
    ...{ streamBeginsMs: 3000, takerSilenceMs },
    ...(wayOut && { relayPort: wayOut.port }),
  });
  const address = 'port' in sandbox.address ? `127.0.0.1:${sandbox.address.port}` : expect.fail('no port');
  const session = SessionId.parse(`sesn_${newToken()}`);
  const key = { session, thread: primaryThread(session) };
  const { workspace } = given().head.state;
  const store = MemoryStoreId.parse(`memstore_${newToken()}`);
  const stores = createMemoryStoreRecords(db.client, db.memoryTable);
  const memories = createMemories(db.client, db.memoryTable);
  const files = createFileRecords(db.client, db.recordsTable);
  const blobs = createMemoryBlobs();
  const marks = { created_at: NOW, updated_at: NOW };
  await createTable(db.client, db.recordsTable).put({ pk: session, sk: 'session', workspace });
  const named = { name: 'Notes', description: '' };
  await stores.create(workspace, {
    ...{ id: store, type: 'memory_store', ...named, metadata: {}, ...marks, archived_at: null },
  });
  const blob = BlobKey.parse(`blobs/${newToken()}`);
  blobs.kept.set(blob, Buffer.from('data'));
  const [copy, original] = [FileId.parse(`file_${newToken()}`), FileId.parse(`file_${newToken()}`)];
  const fileAt = (path: string) => ({
    ...{ id: ResourceId.parse('sesrsc_1'), type: 'file' as const, file_id: copy, mount_path: path },
    ...{ source: { file: original, blob, bytes: 4, also: null }, ...marks },
  });
  const contents: SessionContents = {
    resources: [
      fileAt(`${UPLOADS_DIR}/data.csv`),
      {
        ...{ id: ResourceId.parse('sesrsc_2'), type: 'memory_store', memory_store_id: store, instructions: null },
        ...{ access: 'read_write', mount_path: NOTES, ...named, ...marks },
      },
    ],
  };
  const entries = Object.entries<string>(commands);
  const useOf = ([name, command]: (typeof entries)[number]): Entry => {
    const use = { id: idOf(name), name: 'bash', input: { command }, evaluated_permission: 'allow' as const };
    return { event: { type: 'agent.tool_use', ...use, processed_at: NOW } };
  };
  const longResultOf = (name: string): readonly Entry[] => {
    const use = { id: idOf(name), name: 'find', mcp_server_name: 'tracker', input: {} };
    const result = { id: idOf(`of${name}`), mcp_tool_use_id: idOf(name), is_error: false };
    const content = [{ type: 'text' as const, text: `${name} ${LONG}` }];
    return [
      { event: { type: 'agent.mcp_tool_use', ...use, evaluated_permission: 'allow', processed_at: NOW } },
      { event: { type: 'agent.mcp_tool_result', ...result, content, processed_at: NOW } },
    ];
  };
  const createdAt = (at: Instant): Entry =>
    'record' in CREATED ? { record: { ...CREATED.record, at } } : expect.fail('no record');
  const mounted: Entry = { record: { kind: 'contents.changed', at: NOW } };
  const log = memoryLog();
  const threadOf = (name: string): LogKey =>
    name === 'primary' ? key : { session, thread: ThreadId.parse(`sthr_${session.slice(5)}${name}`) };
  const ofThread = (thread: string, isBeside: (name: string) => boolean) => {
    const uses = entries.filter(([name]) => isBeside(name)).map(useOf);
    const first = given(thread === 'primary' ? [CREATED, mounted] : [createdAt(began[thread] ?? NOW)]).when(
      send('hi'),
    ).entries;
    return [...first, ...(long[thread] ?? []).flatMap(longResultOf), ...uses];
  };
  const owner = (name: string) => Object.keys(beside).find((thread) => beside[thread]?.includes(name)) ?? 'primary';
  for (const thread of ['primary', ...Object.keys(beside)]) {
    const own = ofThread(thread, (name) => owner(name) === thread);
    log.create(threadOf(thread), fold(null, own), own);
  }
  const record = { ...SANDBOX, token: TOKEN, address, network: wayOut?.network ?? null } as const;
  const { dying, dieBefore, revive, effects } = mortal();
  const plain = { stamp: createStamp(), newToken, sha256 };
  let onChanges = async () => undefined as void;
  const client = createSandboxClient();
  const world: ExecuteWorld = {
    ...{ ...NO_SOURCES, ...plain, journal: SILENT },
    ...(wayOut && { wayOut: { ...wayOut.asked, proxies: dying(wayOut.asked.proxies) } }),
    pause: clock === 'real' ? pause : (ms) => (ms < 1000 ? Promise.resolve() : new Promise(() => undefined)),
    ...{ log: dying(log), memories: dying(memories), memoryStores: dying(stores), files: dying(files) },
    ...{ blobs: dying(blobs), contents: dying({ find: async () => contents }) },
    outputs: dying(createOutputRecords(db.client, db.recordsTable)),
    leftovers: dying(createLeftovers(db.client, db.recordsTable)),
    sandboxClient: dying({
      ...client,
      async changes(place: typeof record) {
        await onChanges();
        return client.changes(place);
      },
      async put(place: typeof record, parcels: Parameters<typeof client.put>[1]) {
        return client.put(place, counted(parcels));
      },
    }),
    sandboxes: dying(
      (await sandboxes?.(address, session)) ?? {
        ...({} as ExecuteWorld['sandboxes']),
        find: async () => record,
        send: async () => ({ record, sentTo: 1, again: false }),
        sentTo: async () => 1,
      },
    ),
  };
  const headOf = async () => (await log.head(key)) ?? expect.fail('no log');
  const changes = async (command: Command) => change({ log, stamp: plain.stamp }, key, await headOf(), command);
  async function answers(parts: Partial<ModelAnswer> = {}) {
    const request = plain.stamp.eventId();
    const slice = { first: FIRST_POSITION, entries: log.entries(key), head: await headOf() };
    await changes({ do: 'claim', request, taken: queuedMessages(slice) });
    await changes(answerWith(parts, request));
  }
  const brought: string[] = [];
  async function* counted(parcels: Parameters<typeof client.put>[1]) {
    for await (const parcel of parcels) {
      brought.push(parcel.entry.path);
      yield parcel;
    }
  }
  const place = { workspace, store };
  const free = { ...plain, memories };
  const other = { ...place, by: { type: 'session_actor', session_id: SessionId.parse('sesn_other') } as const };
  for (const path of ['/b.md', '/gone.md']) await createMemory(free, other, { path, content: 'first' });
  return {
    session,
    sandbox,
    log,
    threadOf,
    blobs: blobs.kept,
    /** Of each entry that was sent to the sandbox, its path. */
    brought,
    run: (name: Name, generation = 1, asked: Pick<ExecuteInput, 'wayOut'> = {}) => {
      const thread = threadOf(owner(name));
      const isUse = (entry: Entry) => 'event' in entry && 'id' in entry.event && entry.event.id === idOf(name);
      const position = Position.parse(log.entries(thread).findIndex(isUse) + 1);
      return execute(world, {
        ...{ ...thread, call: { id: idOf(name), position, sincePosition: position } },
        sandbox: { generation },
        ...asked,
      });
    },
    /** The client gives the session another file. */
    async mount(path: string) {
      contents.resources.push(fileAt(path));
      await changes({ do: 'change contents' });
    },
    async interrupt(thread: string) {
      const head = (await log.head(threadOf(thread))) ?? expect.fail('no log');
      await change({ log, stamp: plain.stamp }, threadOf(thread), head, sends({ type: 'user.interrupt' }));
    },
    harvest: (generation = 1) => harvestIdle(world, { hand: mainHand(session), harvest: generation }),
    /** The agent ends its turn after these calls. */
    endTurn: () => answers(),
    async harvestTurn() {
      const { ending } = (await headOf()).state;
      if (ending === undefined) return;
      await harvestTurn(world, { ...key, harvest: 'turn', since: ending.position });
      // As the next turn does.
      const step = next((await headOf()).state);
      if (step.do === 'end turn') await changes(step);
    },
    state: async () => (await headOf()).state,
    /** A turn in which the agent makes one call. */
    async nextTurn(command: string) {
      await changes(send('and now?'));
      await answers({ stopReason: 'tool_use', blocks: [toolUse('toolu_next', 'bash', { command })] });
      const { calls } = (await headOf()).state;
      for (const call of calls) await execute(world, { ...key, call, sandbox: { generation: 1 } });
    },
    /** Another session's. */
    async change(path: string, content: string) {
      const memory = (await memories.at(place, path)) ?? expect.fail('no memory');
      await updateMemory(free, other, { id: memory.id, content });
    },
    ...{ dieBefore, revive, effects },
    results: (thread = 'primary') =>
      log
        .entries(threadOf(thread))
        .flatMap((entry) => ('event' in entry && entry.event.type === 'agent.tool_result' ? [entry.event] : []))
        .map(
          ({ tool_use_id: id, content }) =>
            `${id}: ${content.map((block) => ('text' in block ? block.text : '')).join()}`,
        ),
    waiting: () => client.changes(record),
    interruptAtHarvest: () =>
      void (onChanges = async () => {
        onChanges = async () => undefined;
        await changes(sends({ type: 'user.interrupt' }));
      }),
    async stored() {
      const range = { order: 'asc', from: null, to: null, includeArchived: true, beyond: null } as const;
      const { rows } = await files.list({ workspace, ...range, direction: 'next', limit: 100 }, session);
      const request = { from: null, to: null, before: null, limit: 100, session_id: session };
      const { versions } = await memories.versions(place, request);
      return [
        ...rows.map(({ item }) => item.file.filename),
        ...versions.map(({ operation, path }) => `${operation} ${path}`).toSorted(),
      ];
    },
  };
}
