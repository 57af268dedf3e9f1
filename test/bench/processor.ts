/** What a turn costs in processor time, which Lambda bills, and what the local runtime costs beside it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SYNTHESIS_CACHE } from '#infra/local/synthesize.ts';
import type { Service } from '#test/journeys/service.ts';
import { ms, now, table } from './figures.ts';
import { follow } from './turns.ts';

const WARM_UP = 20;
const TURNS = 100;
const IDLE_MS = 5000;
const SESSIONS = 50;
/** Streams that were closed have ended by then, and the workers that are not kept. */
const RESTED_MS = 15_000;
const FUNCTIONS = ['api', 'harness', 'stream'] as const;
/** What the others call is answered by the first thread. */
const ENDPOINT = 'MainThread';
const START = join(import.meta.dirname, '../../infra/local/start.ts');

export async function processor(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(() => ({ text: 'ok' }));
  const follower = await follow(service, await service.session());
  for (let turn = 0; turn < WARM_UP; turn += 1) await follower.turn('hi');
  const before = threadMs();
  for (let turn = 0; turn < TURNS; turn += 1) await follower.turn('hi');
  const after = threadMs();
  follower.close();
  progress(`${TURNS} turns in processor time`);
  const each = (name: string) => ms(((after[name] ?? 0) - (before[name] ?? 0)) / TURNS);
  const memory = process.memoryUsage.rss();
  await Promise.all(Array.from({ length: SESSIONS }, () => oneTurn(service)));
  // The streams of this bench last longer than those of `npm start`.
  await service.runtime.faults.kill('stream');
  await sleep(RESTED_MS);
  const rested = process.memoryUsage.rss();
  progress(`memory after ${SESSIONS} sessions`);
  const [first, second] = await firstAndSecondStartMs();
  progress('two starts');
  return [
    table(
      [`Processor time of one turn (n=${TURNS})`, 'Brainstem'],
      [...FUNCTIONS.map((name) => [`${name} function`, each(name)]), ['local endpoint and model', each(ENDPOINT)]],
    ),
    '',
    table(
      ['The local runtime', 'Brainstem'],
      [
        ['`npm start` → ready, the first time after `npm ci`', ms(first)],
        ['the same, again', ms(second)],
        ['memory after these turns, with client and model', megabytes(memory)],
        [`memory ${RESTED_MS / 1000} s after ${SESSIONS} sessions at once, with both`, megabytes(rested)],
        [`share of one core without a client`, `${(await idleShare()).toFixed(1)} %`],
      ],
    ),
  ].join('\n');
}

async function oneTurn(service: Service): Promise<void> {
  const follower = await follow(service, await service.session());
  await follower.turn('hi');
  follower.close();
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

/** Milliseconds on a processor so far, by the names of this process's threads; a worker has its function's name. */
function threadMs(): Readonly<Record<string, number>> {
  const used: Record<string, number> = {};
  for (const thread of readdirSync('/proc/self/task')) {
    const read = (file: string) => readFileSync(`/proc/self/task/${thread}/${file}`, 'utf8').trim();
    const name = read('comm');
    used[name] = (used[name] ?? 0) + Number(read('schedstat').split(' ')[0]) / 1e6;
  }
  return used;
}

async function idleShare(): Promise<number> {
  // Streams that were closed have ended by then.
  await sleep(IDLE_MS);
  const before = process.cpuUsage();
  await sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (IDLE_MS / 100);
}

async function firstAndSecondStartMs(): Promise<readonly [number, number]> {
  // What earlier starts have synthesized and compiled would make the first one a second one.
  rmSync(SYNTHESIS_CACHE, { recursive: true, force: true });
  const compiled = mkdtempSync(join(tmpdir(), 'brainstem-compiled-'));
  try {
    return [await startMs(compiled), await startMs(compiled)];
  } finally {
    rmSync(compiled, { recursive: true, force: true });
  }
}

async function startMs(compiled: string): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), 'brainstem-bench-'));
  const began = now();
  const child = spawn(process.execPath, [START, '--json', '--port', '0', '--data', data], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, NODE_COMPILE_CACHE: compiled },
  });
  await once(createInterface(child.stdout), 'line');
  const tookMs = now() - began;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  rmSync(data, { recursive: true, force: true });
  return tookMs;
}
