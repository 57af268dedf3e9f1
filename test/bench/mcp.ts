/**
 * The time that the MCP proxy adds to a call and to a run, compared with a bare client of the same server in the same
 * run.
 */
import { startFx } from '#test/mcp/fx.ts';
import type { McpService } from '#test/mcp/mcp-service.ts';
import { spread, table, told } from './figures.ts';
import { ASKED, mcpStage, sessionTowards, type McpStage, type ProxyTimes } from './mcp-stage.ts';
import { follow, type TurnTimes } from './turns.ts';
import { settled } from './use.ts';

const CALLS = 200;
const WARM_UP = 20;
const RUNS = 100;
const HELD_MS = 100;
const HELD_TURNS = 5;

/** By the protocol revision that the server speaks. */
const ERAS = { modern: '2026-07-28', legacy: '2025-11-25' } as const;

type Progress = (text: string) => void;

interface Measured {
  readonly times: readonly ProxyTimes[];
  readonly bare: readonly number[];
  readonly requests: { readonly proxy: number; readonly bare: number };
}

export async function mcp(service: McpService, progress: Progress): Promise<string> {
  const modern = await mcpStage(service, 'modern');
  const legacy = await mcpStage(service, 'legacy');
  const measured = { modern: await sideBySide(modern), legacy: await sideBySide(legacy) };
  progress(`${CALLS} calls in either era`);
  const path = await pathTable(service, modern, measured.modern.times);
  progress('calls held back');
  const runs = await runTable(service);
  progress(`${RUNS} runs with tools and without`);
  await modern.close();
  await legacy.close();
  return [eraTable([measured.modern, measured.legacy]), path, runs].join('\n\n');
}

async function sideBySide(stage: McpStage): Promise<Measured> {
  const times: ProxyTimes[] = [];
  const bare: number[] = [];
  for (let index = 0; index < CALLS + WARM_UP; index += 1) {
    const turn = await stage.turn();
    const call = await stage.bareCall();
    if (index < WARM_UP) continue;
    times.push(turn);
    bare.push(call);
  }
  return { times, bare, requests: await requestsOf(stage) };
}

/** A call of the proxy is recognised by its requests to the server after the listing's `tools/list`. */
async function requestsOf({ fx, turn, bareCall }: McpStage): Promise<Measured['requests']> {
  const before = fx.requests.length;
  await turn();
  const made = fx.requests.slice(before).filter(({ method }) => method === 'POST');
  const listed = made.findIndex(({ rpc }) => rpc?.method === 'tools/list');
  const after = fx.requests.length;
  await bareCall();
  return { proxy: made.length - listed - 1, bare: fx.requests.length - after };
}

function eraTable(eras: readonly Measured[]): string {
  const row = (name: string, cell: (era: Measured) => string) => [name, ...eras.map(cell)];
  return table(
    ['One call of a tool, warm (p50 / p95)', ...Object.values(ERAS).map((revision) => `MCP ${revision}`)],
    [
      row('over the proxy: its invocation → its end', ({ times }) => told(times.map(({ call }) => call))),
      row('by a bare client that is connected', ({ bare }) => told(bare)),
      row('what the proxy adds, call by call', ({ times, bare }) =>
        told(times.map(({ call }, index) => call - (bare[index] ?? Number.NaN))),
      ),
      row('HTTP requests: proxy, bare client', ({ requests }) => `${requests.proxy}, ${requests.bare}`),
    ],
  );
}

/** Of the proxy's calls of these kinds: their number, and how many of them it makes one after another. */
interface Held {
  readonly name: string;
  readonly made: ProxyTimes;
  readonly inSequence: ProxyTimes;
}

async function pathTable(service: McpService, stage: McpStage, times: readonly ProxyTimes[]): Promise<string> {
  const { faults } = service.runtime;
  const base = await fastest(stage);
  const calls = await callsOf(service, stage);
  const kinds = [...new Set(ASKED.flatMap((asked) => calls[asked]))].toSorted();
  const held = async (name: string, of: readonly string[]): Promise<Held> => {
    for (const kind of of) faults.delay(`mcp-proxy ${kind}`, HELD_MS);
    const slowed = await fastest(stage);
    faults.disarm();
    return {
      name,
      made: forEach((asked) => calls[asked].filter((call) => of.includes(call)).length),
      inSequence: forEach((asked) => Math.round((slowed[asked] - base[asked]) / HELD_MS)),
    };
  };
  const rows: Held[] = [await held('AWS calls one after another, of all', kinds)];
  for (const kind of kinds) rows.push(await held(`of them ${kind}`, [kind]));
  return [
    table(
      ['What the proxy is asked, warm', 'list, once a run', 'judge, once an answer', 'call'],
      [
        ['its time (p50 / p95)', ...ASKED.map((asked) => told(times.map((one) => one[asked])))],
        ...rows.map(({ name, made, inSequence }) => [
          name,
          ...ASKED.map((asked) => `${inSequence[asked]} of ${made[asked]}`),
        ]),
      ],
    ),
    '',
    `Counted by a delay of ${HELD_MS} ms for each call: a call that runs at the same time as another one adds no time.`,
  ].join('\n');
}

function forEach<Value>(of: (asked: (typeof ASKED)[number]) => Value) {
  return { list: of('list'), judge: of('judge'), call: of('call') };
}

/** The least of several turns, because some turns check in addition whether the policies have changed. */
async function fastest(stage: McpStage): Promise<ProxyTimes> {
  const turns: ProxyTimes[] = [];
  for (let turn = 0; turn < HELD_TURNS; turn += 1) turns.push(await stage.turn());
  return forEach((asked) => spread(turns.map((turn) => turn[asked])).min);
}

/** The calls that the proxy makes in one turn, by kind. */
async function callsOf({ runtime }: McpService, stage: McpStage): Promise<Record<keyof ProxyTimes, readonly string[]>> {
  await settled(runtime);
  runtime.faults.disarm();
  await stage.turn();
  await settled(runtime);
  const calls = runtime.faults.trace().filter((call) => call.function === 'mcp-proxy');
  const requests = [...new Set(calls.map(({ request }) => request))];
  return forEach((asked) =>
    calls.filter(({ request }) => request === requests[ASKED.indexOf(asked)]).map(({ call }) => call),
  );
}

/** The model's answers call no tool, so the listing is the time between request and answer. */
async function runTable(service: McpService): Promise<string> {
  const fx = await startFx();
  const tools = await follow(service, await sessionTowards(service, fx));
  const plain = await follow(service, await service.session());
  service.standIn.script(() => ({ text: 'ok' }));
  const listed: TurnTimes[] = [];
  const unlisted: TurnTimes[] = [];
  for (let run = 0; run < RUNS + WARM_UP; run += 1) {
    const times = await tools.turn('hi');
    const plainTimes = await plain.turn('hi');
    if (run < WARM_UP) continue;
    listed.push(times);
    unlisted.push(plainTimes);
  }
  tools.close();
  plain.close();
  await fx.close();
  const row = (name: string, pick: (times: TurnTimes) => number) => [
    name,
    told(listed.map(pick)),
    told(unlisted.map(pick)),
  ];
  return table(
    ['One run without calls (p50 / p95)', 'with an MCP server', 'without'],
    [row('POST → model request', ({ toModel }) => toModel), row('POST → turn over', ({ whole }) => whole)],
  );
}
