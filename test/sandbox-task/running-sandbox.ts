/** A sandbox server for tests: in this process, or as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { CONTENT_LIMITS, type ContentEntry, type ExecuteRequest, ExecuteResponse } from '#contract/hands.ts';
import type { BashLimits } from '../../sandbox-task/bash.ts';
import { idempotentCalls } from '../../sandbox-task/calls.ts';
import { changesIn } from '../../sandbox-task/changes.ts';
import { contentsIn } from '../../sandbox-task/contents.ts';
import { finishedCalls } from '../../sandbox-task/finished-calls.ts';
import { programsLive } from '../../sandbox-task/live-programs.ts';
import { repositoriesIn } from '../../sandbox-task/repositories.ts';
import { sandboxServer } from '../../sandbox-task/server.ts';
import { wayOutOf } from '../../sandbox-task/way-out.ts';
import { toolsIn } from '../../sandbox-task/tools.ts';
import { bundleOf } from '#test/run-cache.ts';

export const TOKEN = 'the-token-of-this-sandbox';
export const TOKEN_SHA256 = createHash('sha256').update(TOKEN).digest('hex');
const MAIN = new URL('../../sandbox-task/main.ts', import.meta.url).pathname;

export type Address = { readonly socketPath: string } | { readonly host: string; readonly port: number };

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export interface Sent extends RequestOptions {
  readonly body?: string | Buffer;
}

export async function send(address: Address, { body = '', ...options }: Sent): Promise<Reply> {
  const sent = request({ ...address, agent: false, ...options });
  sent.end(body);
  const [response] = await once(sent, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) };
}

export const withToken = { authorization: `Bearer ${TOKEN}` };

let callsMade = 0;

/** A request with a new id, unless one is given. */
export function callOf(
  name: ExecuteRequest['name'],
  input: ExecuteRequest['input'],
  more: Partial<ExecuteRequest> = {},
) {
  callsMade += 1;
  return { call: `sevt_${callsMade}`, name, input, timeoutMs: 120_000, ...more };
}

export async function execute(address: Address, call: ExecuteRequest): Promise<ExecuteResponse> {
  const reply = await send(address, {
    method: 'POST',
    path: '/execute',
    headers: withToken,
    body: JSON.stringify(call),
  });
  if (reply.status !== 200) throw new Error(`answered ${reply.status} ${JSON.stringify(reply.body)}`);
  return ExecuteResponse.parse(reply.body);
}

/** An entry of a manifest, and its bytes. */
export type Sending = readonly [entry: ContentEntry, bytes: string | Buffer];

export const bodyOf = (sent: readonly Sending[]) =>
  Buffer.concat(
    sent.flatMap(([{ path, version }, content]) => {
      const bytes = Buffer.from(content);
      return [Buffer.from(`${JSON.stringify({ path, version, bytes: bytes.length })}\n`), bytes];
    }),
  );

/** What a sandbox answers that lacks contents, and one that took all that it was sent. */
export const AWAITED = { status: 425, body: { error: 'contents_awaited' } };
export const TAKEN = { status: 200, body: { refused: [] } };

/** Requests with the token. */
export function requestsTo(address: Address) {
  const ask = (method: string, path: string, body: object | null = null) => {
    const text = body === null ? '' : Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return send(address, { method, path, headers: withToken, body: text });
  };
  return {
    ask,
    post: (call: object) => ask('POST', '/execute', call),
    expectContents: (version: string, entries: readonly ContentEntry[]) =>
      ask('PUT', '/manifest', { version, entries }),
    put: (...sent: readonly Sending[]) => ask('PUT', '/contents', bodyOf(sent)),
  };
}

export async function startSandbox(
  listen: 'tcp' | 'socket' = 'tcp',
  packages: { readonly archive: string; readonly dir: string; readonly maxBytes?: number } | null = null,
  {
    waitMs,
    streamBeginsMs = 0,
    takerSilenceMs = 0,
    relayPort,
    variables: given = {},
    cloneTimes = {},
    ...bash
  }: BashLimits & {
    /** Of commands, and of the sandbox's own git. */
    readonly variables?: Readonly<Record<string, string>>;
    readonly cloneTimes?: Parameters<typeof repositoriesIn>[0]['times'];
    readonly waitMs?: number;
    readonly streamBeginsMs?: number;
    readonly takerSilenceMs?: number;
    readonly relayPort?: number;
  } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'sandbox-test-'));
  const workdir = await mkdtemp(join(folder, 'workspace-'));
  const mnt = join(folder, 'mnt');
  await mkdir(join(mnt, 'session/outputs'), { recursive: true });
  const places = { workdir, mnt, packagesDir: packages?.dir ?? null };
  const lines: string[] = [];
  const log = (...line: readonly unknown[]) => lines.push(JSON.stringify(line));
  const { relay, variables } = wayOutOf({ host: '127.0.0.1', port: relayPort, mnt, log });
  const tools = toolsIn(places, { ...bash, wayOut: () => ({ ...variables(), ...given }) });
  const limits = { ...CONTENT_LIMITS, archiveBytes: packages?.maxBytes ?? CONTENT_LIMITS.archiveBytes };
  const contents = contentsIn(places, packages?.archive ?? null, { limits, streamBeginsMs });
  const finished = finishedCalls();
  const environment = () => ({ ...tools.environment(), ...given });
  const repositories = repositoriesIn({
    ...{ places, entries: contents.repositories, environment, log, times: cloneTimes },
  });
  const { takeNews } = repositories;
  const calls = idempotentCalls(tools, finished, { waitMs, takeNotes: relay.takeNotes, takeNews });
  const events = new EventEmitter();
  let isDue = false;
  const server = sandboxServer({
    tokenSha256: TOKEN_SHA256,
    calls,
    contents,
    changes: changesIn(places, contents, takerSilenceMs),
    relay,
    repositories,
    programsLive,
    isStopping: () => false,
    idle: { used: () => void events.emit('call'), kept: () => undefined, isDue: () => isDue },
    log,
  });
  const socketPath = join(folder, 'server.sock');
  server.listen(listen === 'tcp' ? { host: '127.0.0.1', port: 0 } : { path: socketPath });
  await once(server, 'listening');
  const bound = server.address();
  const address: Address =
    typeof bound === 'object' && bound ? { host: bound.address, port: bound.port } : { socketPath };
  return {
    workdir,
    mnt,
    address,
    ...requestsTo(address),
    lines,
    /** As if no call had come for the idle time. */
    beIdle: () => void (isDue = true),
    /** Resolves when the server has begun one more call, or has finished one. */
    nextCall: () => once(events, 'call'),
    run: (name: ExecuteRequest['name'], input: ExecuteRequest['input'], more?: Partial<ExecuteRequest>) =>
      execute(address, callOf(name, input, more)),
    async close() {
      tools.close();
      relay.close();
      repositories.close();
      server.close();
      server.closeAllConnections();
      finished.close();
      // Commands that are being killed may still write.
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

export type Sandbox = Awaited<ReturnType<typeof startSandbox>>;

const LogLine = z.looseObject({ message: z.string() });

/** The server as a process of its own, with only `settings` and the variables that a shell needs in its environment. */
export function spawnSandbox(
  settings: Readonly<Record<string, string>>,
  { script = bundleOf(MAIN), before = [] }: { readonly script?: string; readonly before?: readonly string[] } = {},
) {
  const [program = process.execPath, ...args] = [...before, process.execPath, script];
  const env = { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), ...settings };
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const logged: z.infer<typeof LogLine>[] = [];
  const events = new EventEmitter();
  lines.on('line', (line) => {
    logged.push(LogLine.parse(JSON.parse(line)));
    events.emit('line');
  });

  async function until(message: string) {
    for (;;) {
      const found = logged.find((line) => line.message === message);
      if (found) return found;
      await once(events, 'line');
    }
  }

  async function listening(): Promise<Address> {
    const { address } = await until('listening');
    if (typeof address === 'string') return { socketPath: address };
    const { port } = z.object({ port: z.number() }).parse(address);
    return { host: '127.0.0.1', port };
  }

  return { child, logged, until, listening, exitCode: exitCodeOf(child) };
}

async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  await once(child, 'close');
  return child.exitCode;
}
