/** The time from an interrupt to the idle session, and to the end of the interrupted work. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Script } from '#test/model/stand-in.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import type { Service } from '#test/journeys/service.ts';
import { now, table, told } from './figures.ts';
import { watch, type Watcher } from './turns.ts';

const ROUNDS = 50;
/** Concurrent sessions. Most of the time is spent waiting for a read of the log, once a second. */
const LANES = 5;
/** Milliseconds of silence before the interrupt, so that it meets stream and harness at different moments. */
const QUIET_MS = { least: 300, most: 1300 };

interface Latency {
  /** POST sent → `session.status_idle` at the client. */
  readonly idle: number;
  /** POST sent → the interrupted work has ended. */
  readonly over: number;
}

/** A model that does what the message says: it runs a command, or answers for a minute. */
const obedient: Script = (request) => {
  const said = lastTexts(request).at(-1) ?? '';
  if (said.startsWith('run ')) return { text: 'I run it.', tools: [bash(said.slice('run '.length))] };
  return { text: Array.from({ length: 3000 }, () => 'word '), chunkDelayMs: 20 };
};

export async function interrupts(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(obedient);
  const asking = await inLanes(service, interruptModel);
  progress(`${asking.length} interrupted model requests`);
  const running = await inLanes(service, interruptCommand);
  progress(`${running.length} interrupted commands`);
  const row = (name: string, pick: (latency: Latency) => number) => [
    name,
    told(asking.map(pick)),
    told(running.map(pick)),
  ];
  return table(
    ['Interrupt (p50 / p95)', 'while the model streams', 'while a command runs'],
    [
      row('POST → `session.status_idle` at the client', ({ idle }) => idle),
      row('POST → the model’s connection is cut, the command is gone', ({ over }) => over),
    ],
  );
}

interface Lane {
  readonly service: Service;
  readonly session: string;
  readonly watcher: Watcher;
  /** A text that is unique to the round. */
  readonly mark: string;
}

async function inLanes(service: Service, round: (lane: Lane) => Promise<Latency>): Promise<readonly Latency[]> {
  const lanes = Array.from({ length: LANES }, async (_, lane) => {
    const session = await service.session();
    const watcher = await watch(service, session);
    const latencies: Latency[] = [];
    // The first round of a lane starts its workers and its sandbox, and is not measured.
    for (let index = 0; index <= ROUNDS / LANES; index += 1) {
      const mark = `${now().toFixed(0)}${lane}${index}`;
      latencies.push(await round({ service, session, watcher, mark }));
    }
    watcher.close();
    return latencies.slice(1);
  });
  return (await Promise.all(lanes)).flat();
}

async function interruptModel(lane: Lane): Promise<Latency> {
  const { service, session, mark } = lane;
  await service.send(session, mark);
  const request = await soon(() => service.standIn.requests.find((one) => lastTexts(one.request).at(-1) === mark));
  return interrupt(lane, async () => (await request.ended).atMs);
}

async function interruptCommand(lane: Lane): Promise<Latency> {
  const { service, session, mark } = lane;
  await service.send(session, `run sleep ${mark}`);
  const pid = await soon(() => findProcess(`sleep\0${mark}\0`));
  return interrupt(lane, async () => {
    await soon(() => (isRunning(pid) ? undefined : true), 1);
    return now();
  });
}

async function interrupt({ service, session, watcher }: Lane, over: () => Promise<number>): Promise<Latency> {
  await sleep(QUIET_MS.least + Math.random() * (QUIET_MS.most - QUIET_MS.least));
  const began = now();
  const sending = service.client.beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
  const [idleAt, overAt] = await Promise.all([watcher.idle().then(now), over(), sending]);
  return { idle: idleAt - began, over: overAt - began };
}

async function soon<Found>(look: () => Found | undefined, everyMs = 5): Promise<Found> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await sleep(everyMs);
  }
}

function findProcess(commandLine: string): string | undefined {
  return readdirSync('/proc').find((pid) => /^\d+$/.test(pid) && read(`/proc/${pid}/cmdline`) === commandLine);
}

/** A killed process is a zombie until its parent collects it. */
function isRunning(pid: string): boolean {
  const stat = read(`/proc/${pid}/stat`);
  return stat !== '' && !/^\d+ \(.*\) Z/.test(stat);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process ended between the listing and the read.
    return '';
  }
}
