/** The cost of a turn: AWS's own units, counted while the service runs on this machine, and their price in dollars. */
import { setTimeout as sleep } from 'node:timers/promises';
import { serviceOf } from '#infra/local/lambda/environment.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import type { Service } from '#test/journeys/service.ts';
import { mean, price, sampled, units, UNITS_HEAD, type Row } from './cost-row.ts';
import { table } from './figures.ts';
import { combine, NOTHING, PRICES, SANDBOX_HOUR, type Used } from './prices.ts';
import { watch, type Watcher } from './turns.ts';
import { ofCalls, useOf } from './use.ts';

const TURNS = 15;
const LONG_TURNS = 200;
const COLD_TURNS = 5;
/** The middle between two reads of the harness, which are a second apart. */
const THINKING_SECONDS = { short: 1.5, long: 5.5 };
const THINKING_SESSIONS = 5;
const STREAM_SECONDS = 12;
/** Twice the longest wait of a stream between two reads of the log. */
const SLOWEST_LOOK_MS = 1000;

type Progress = (text: string) => void;

export async function cost(service: Service, progress: Progress): Promise<string> {
  const rows: Row[] = [];
  const add = (row: Row): void => {
    rows.push(row);
    progress(`${row.what} (${sampled(row)})`);
  };
  service.standIn.script(() => ({ text: 'ok' }));
  const first = await firstTurns(service);
  add({ what: 'a text-only turn', samples: first });
  const long = await longSession(service);
  add({ what: `turn ${LONG_TURNS} of a session`, samples: long.warm });
  add({ what: `turn ${LONG_TURNS}, in a harness that reads the whole log`, samples: long.cold });
  add({ what: 'a turn with one sandbox call', samples: await toolTurns(service, 1) });
  add({ what: 'a turn with two parallel calls', samples: await toolTurns(service, 2) });
  add({ what: 'a turn that waits for one confirmation', samples: await confirmedTurns(service) });
  const thinking = await thinkingSecond(service);
  add({ what: 'each second that the model takes', samples: [thinking], of: `${THINKING_SESSIONS} turns` });
  const streams = await streamMinutes(service);
  const of = `${STREAM_SECONDS} s of it`;
  add({ what: 'a minute of an open idle stream', samples: [streams.idle], of });
  add({ what: 'a minute of an open active stream', samples: [streams.active], of });
  const priced = rows.map((row) => [...units(row), price(row, 1000)]);
  return [table([...UNITS_HEAD, '$ per 1,000'], priced), '', notes(mean(first))].join('\n');
}

function notes(text: Used): string {
  const share = (...units: readonly (keyof Used)[]) =>
    `$${(units.reduce((total, unit) => total + text[unit] * PRICES[unit], 0) * 1000).toFixed(4)}`;
  return [
    `The text-only turn’s dollars: transitions ${share('transitions')}, writes ${share('writeUnits')}, API requests`,
    `${share('requests')}, Lambda ${share('invocations', 'gbSeconds')}, reads ${share('readUnits')}. Lambda’s time was measured with a local DynamoDB and a model`,
    'that answers at once, so add the row of the model’s seconds. The turns include neither streams nor sweep, neither the model’s',
    `tokens nor the sandbox, which costs $${SANDBOX_HOUR} an hour while it runs.`,
  ].join('\n');
}

/** Each turn is in a session of its own. */
async function firstTurns(service: Service): Promise<readonly Used[]> {
  const samples: Used[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const session = await service.session();
    const watcher = await watch(service, session);
    samples.push(await useOf(service, () => textTurn(service, session, watcher)));
    watcher.close();
  }
  return samples;
}

export async function textTurn(service: Service, session: string, watcher: Watcher): Promise<void> {
  await service.send(session, 'hi');
  await watcher.idle();
}

async function longSession(service: Service) {
  const session = await service.session();
  const watcher = await watch(service, session);
  const measured = () => useOf(service, () => textTurn(service, session, watcher));
  for (let turn = 1; turn < LONG_TURNS; turn += 1) await textTurn(service, session, watcher);
  const warm: Used[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) warm.push(await measured());
  const cold: Used[] = [];
  for (let turn = 0; turn < COLD_TURNS; turn += 1) {
    await service.runtime.faults.kill('harness');
    cold.push(await measured());
  }
  watcher.close();
  return { warm, cold };
}

/** In a session with a running sandbox. */
async function toolTurns(service: Service, calls: number): Promise<readonly Used[]> {
  service.standIn.script(calling(...Array.from({ length: calls }, () => bash('true'))));
  const session = await service.session();
  const watcher = await watch(service, session);
  await textTurn(service, session, watcher);
  const samples: Used[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    samples.push(await useOf(service, () => textTurn(service, session, watcher)));
  }
  watcher.close();
  return samples;
}

async function confirmedTurns(service: Service): Promise<readonly Used[]> {
  service.standIn.script(calling(bash('true')));
  const session = await askingSession(service);
  const watcher = await watch(service, session);
  const turn = async (): Promise<void> => {
    await service.send(session, 'hi');
    const { stop_reason: waits } = await watcher.idle();
    if (waits.type !== 'requires_action') throw new Error('the call did not wait for a confirmation');
    const events = waits.event_ids.map((id) => ({
      type: 'user.tool_confirmation' as const,
      tool_use_id: id,
      result: 'allow' as const,
    }));
    await service.client.beta.sessions.events.send(session, { events });
    await watcher.idle();
  };
  await turn();
  const samples: Used[] = [];
  for (let index = 0; index < TURNS; index += 1) samples.push(await useOf(service, turn));
  watcher.close();
  return samples;
}

async function askingSession({ client: { beta } }: Service): Promise<string> {
  const agent = await beta.agents.create({
    name: 'Ada',
    model: 'claude-opus-5',
    tools: [{ type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } }],
  });
  const environment = await beta.environments.create({ name: 'lab' });
  const { id } = await beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  return id;
}

/** The usage of a harness that waits for the model and checks whether its request is still wanted. */
async function thinkingSecond(service: Service): Promise<Used> {
  const { short, long } = THINKING_SECONDS;
  const quick = await thinkingTurn(service, short);
  const slow = await thinkingTurn(service, long);
  return combine(slow, quick, (more, less) => (more - less) / (long - short));
}

async function thinkingTurn(service: Service, seconds: number): Promise<Used> {
  service.standIn.script(() => ({ text: 'ok', delayMs: seconds * 1000 }));
  const followed: { readonly session: string; readonly watcher: Watcher }[] = [];
  for (let index = 0; index < THINKING_SESSIONS; index += 1) {
    const session = await service.session();
    followed.push({ session, watcher: await watch(service, session) });
  }
  const all = await useOf(service, async () => {
    await Promise.all(followed.map(({ session, watcher }) => textTurn(service, session, watcher)));
  });
  for (const { watcher } of followed) watcher.close();
  return combine(all, NOTHING, (used) => used / THINKING_SESSIONS);
}

/**
 * Two streams at the same time, distinguished by the invocation that polls for each. One window of them stands for a
 * minute.
 */
async function streamMinutes(service: Service): Promise<{ readonly idle: Used; readonly active: Used }> {
  const { faults } = service.runtime;
  const thinking = (STREAM_SECONDS + 3) * 1000;
  service.standIn.script(() => ({ text: 'ok', delayMs: thinking }));
  const quiet = await opened(service, await service.session());
  const session = await service.session();
  const busy = await opened(service, session);
  await service.send(session, 'hi');
  // The reads are further apart the longer no event comes.
  await sleep(2000);
  faults.disarm();
  await sleep(STREAM_SECONDS * 1000);
  const trace = faults.trace();
  const minute = (request: string): Used => {
    const used = ofCalls(trace.filter((call) => call.request === request));
    const scale = 60 / STREAM_SECONDS;
    return {
      ...combine({ ...NOTHING, ...used }, NOTHING, (units) => units * scale),
      gbSeconds: (60 * streamMemoryMb(service)) / 1024,
      invocations: 1,
      requests: 1,
    };
  };
  await busy.watcher.idle();
  quiet.watcher.close();
  busy.watcher.close();
  return { idle: minute(quiet.request), active: minute(busy.request) };
}

/** A stream and the invocation that serves it: the only one without a call while every other open stream read once. */
async function opened(service: Service, session: string) {
  const { faults } = service.runtime;
  faults.disarm();
  await sleep(SLOWEST_LOOK_MS);
  const requests = () => faults.trace().flatMap((call) => (call.function === 'stream' ? [call.request] : []));
  const known = new Set(requests());
  const watcher = await watch(service, session);
  for (;;) {
    const request = requests().find((candidate) => !known.has(candidate));
    if (request !== undefined && request !== null) return { watcher, request };
    await sleep(10);
  }
}

function streamMemoryMb({ runtime }: Service): number {
  const part = runtime.template.functions.find((candidate) => serviceOf(candidate) === 'stream');
  if (part === undefined) throw new Error('the template has no stream function');
  return part.memoryMb;
}
