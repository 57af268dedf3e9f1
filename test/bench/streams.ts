/** What a stream costs while nothing happens, and how late it is when something does. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '#test/journeys/service.ts';
import { now, table, told } from './figures.ts';
import { follow } from './turns.ts';

const OPENINGS = 10;
const IDLE_STREAMS = 20;
/** After this time the pauses between looks are as long as they get. */
const SETTLED_MS = 4000;
const WATCHED_MS = 10_000;
const PAUSE_MS = 2500;
const TURNS = 8;

export async function streams(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(() => ({ text: 'ok' }));
  const opened = await openings(service, progress);
  const late = await afterPause(service, progress);
  const idle = await idling(service, progress);
  return [
    table(
      ['Stream (p50 / p95)', 'Brainstem'],
      [
        ['opened → first frame, a cold instance', told(opened.cold)],
        ['opened → first frame, a warm instance', told(opened.warm)],
        [`POST → first text at the client, after a pause of ${PAUSE_MS / 1000} s`, told(late)],
      ],
    ),
    '',
    table([`${IDLE_STREAMS} streams of idle sessions`, 'Brainstem'], idle),
  ].join('\n');
}

/** An instance is warm when its stream has ended: that of an archived session ends at once. */
async function openings(service: Service, progress: (text: string) => void) {
  const ended = await service.session();
  await service.client.beta.sessions.archive(ended);
  await firstFrame(service, ended);
  const cold: number[] = [];
  const warm: number[] = [];
  for (let opening = 0; opening < OPENINGS; opening += 1) {
    const session = await service.session();
    await service.runtime.faults.kill('stream');
    cold.push(await firstFrame(service, session));
    await firstFrame(service, ended);
    warm.push(await firstFrame(service, session));
  }
  await service.runtime.faults.kill('stream');
  progress(`${OPENINGS} streams opened, cold and warm`);
  return { cold, warm };
}

async function firstFrame({ runtime }: Service, session: string): Promise<number> {
  const leaving = new AbortController();
  const began = now();
  const response = await fetch(`${runtime.baseUrl}/v1/sessions/${session}/events/stream`, {
    headers: { authorization: `Bearer ${runtime.apiKey}` },
    signal: leaving.signal,
  });
  await response.body?.getReader().read();
  const tookMs = now() - began;
  leaving.abort();
  return tookMs;
}

async function afterPause(service: Service, progress: (text: string) => void): Promise<readonly number[]> {
  const follower = await follow(service, await service.session());
  await follower.turn('warm up');
  const samples: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    // The parts of a pause between two looks are sampled evenly.
    await sleep(PAUSE_MS + turn * 61);
    samples.push((await follower.turn('again')).toText);
  }
  follower.close();
  await service.runtime.faults.kill('stream');
  progress(`${TURNS} turns after pauses`);
  return samples;
}

/** Functions are threads of this process, and what they call is answered by its first thread and by the engine. */
async function idling(service: Service, progress: (text: string) => void): Promise<readonly string[][]> {
  const followers = [];
  for (let index = 0; index < IDLE_STREAMS; index += 1) {
    const follower = await follow(service, await service.session());
    await follower.turn('hi');
    followers.push(follower);
  }
  await sleep(SETTLED_MS);
  service.runtime.faults.disarm();
  const before = processorMs(service);
  const beganMs = now();
  await sleep(WATCHED_MS);
  const after = processorMs(service);
  const seconds = (now() - beganMs) / 1000;
  const looks = service.runtime.faults.trace().filter((call) => call.function === 'stream');
  const units = looks.reduce((total, { consumed }) => total + (consumed?.readUnits ?? 0), 0);
  for (const follower of followers) follower.close();
  await service.runtime.faults.kill('stream');
  progress(`${IDLE_STREAMS} idle streams watched`);
  const used = (part: keyof typeof after) => after[part] - before[part];
  const each = (part: keyof typeof after) => `${(used(part) / looks.length).toFixed(2)} ms`;
  const all = used('functions') + used('endpoint') + used('engine');
  return [
    ['looks of a stream in a second', (looks.length / seconds / IDLE_STREAMS).toFixed(1)],
    ['CPU of a look in the function', each('functions')],
    ['CPU of a look in the local endpoint', each('endpoint')],
    ['CPU of a look in the local engine', each('engine')],
    ['share of one core, all of them together', `${(all / seconds / 10).toFixed(1)} %`],
    ['read units of a stream in an hour', Math.round((units / seconds / IDLE_STREAMS) * 3600).toLocaleString('en-US')],
  ];
}

/** CPU milliseconds so far, by what used them. */
function processorMs({ runtime }: Service) {
  const sum = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1000;
  const endpoint = sum(process.threadCpuUsage());
  const pid = runtime.aws.dynamoDb.enginePid();
  return {
    functions: sum(process.cpuUsage()) - endpoint,
    endpoint,
    engine: pid === null ? 0 : engineMs(pid),
  };
}

const TICKS_PER_SECOND = 100;

function engineMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  const [user = 0, system = 0] = fields.slice(11, 13).map(Number);
  return ((user + system) * 1000) / TICKS_PER_SECOND;
}
