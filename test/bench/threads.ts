/** Agents that give work to others: how soon a child begins, 25 at once, a delegation's cost, and waking after many. */
import { begin, roleOf, wait } from '#test/journeys/teams.ts';
import { lastTexts } from '#test/journeys/scripts.ts';
import type { Service } from '#test/journeys/service.ts';
import type { Script } from '#test/model/stand-in.ts';
import { told as counted } from './cost-row.ts';
import { now, table, told } from './figures.ts';
import { watch, type Watcher } from './turns.ts';
import { callsOnPath, useOf } from './use.ts';

const DELEGATIONS = 50;
const WARM_UP = 5;
const AT_ONCE = 25;
const ROUNDS = 5;
const COSTS = 15;
const FINISHED = [0, 25, 100];
const WAKES = 40;

type Progress = (text: string) => void;

/** A message's number is that of the children which the lead begins: `begin 3`. A report is answered in one word. */
const team: Script = (request) => {
  if (roleOf(request) !== 'Lead') return { text: 'All is well.' };
  const count = Number(/^begin (\d+)$/.exec(lastTexts(request).at(-1) ?? '')?.[1] ?? 0);
  if (count === 0) return { text: 'ok' };
  return { tools: [...Array.from({ length: count }, () => begin('Ada', 'Look.')), wait] };
};

export async function threads(service: Service, progress: Progress): Promise<string> {
  service.standIn.script(team);
  const begun = await beginnings(service, progress);
  const many = await atOnce(service, progress);
  const one = await costs(service, progress);
  const wakes = await wakings(service, progress);
  return [
    table(
      ['Beginning of a child, warm (p50 / p95)', 'Brainstem'],
      [
        ['the parent’s answer sent → the child’s model request', told(begun.map(({ child }) => child))],
        ['POST → the parent’s model request, in the same sessions', told(begun.map(({ parent }) => parent))],
      ],
    ),
    '',
    table([`${AT_ONCE} children at once (n=${ROUNDS}: mean, least–most)`, 'Brainstem'], many),
    '',
    table([`One delegation and its report (n=${COSTS}: mean, least–most)`, 'with the report', 'a text-only turn'], one),
    '',
    table(['Finished children', 'POST → model request (p50 / p95)', 'POST → turn over (p50 / p95)'], wakes),
    '',
    'A delegation is counted from the user’s message to the idle session: two turns of the parent and one of the child, with',
    'one model request each. The children of this machine share its processor, so fewer of their appends meet than on AWS. The',
    'three sessions that are woken take turns, one message each.',
  ].join('\n');
}

async function teamSession({ client: { beta } }: Service): Promise<string> {
  const agent = { model: 'claude-opus-5', tools: [{ type: 'agent_toolset_20260401' as const }] };
  const ada = await beta.agents.create({ ...agent, name: 'Ada', system: 'You are Ada.' });
  const multiagent = { type: 'coordinator' as const, agents: [ada.id] };
  const lead = await beta.agents.create({ ...agent, name: 'Lead', system: 'You are Lead.', multiagent });
  const environment = await beta.environments.create({ name: 'lab' });
  return (await beta.sessions.create({ agent: lead.id, environment_id: environment.id })).id;
}

async function turn(service: Service, session: string, watcher: Watcher, said: string): Promise<void> {
  await service.send(session, said);
  await watcher.idle();
}

/** The requests that came since, those of the lead apart. */
function requestsSince({ standIn }: Service, began: number) {
  const since = standIn.requests.filter(({ arrivedAtMs }) => arrivedAtMs >= began - 1);
  const isOf = (name: string) => since.filter(({ request }) => roleOf(request) === name);
  return { lead: isOf('Lead'), ada: isOf('Ada') };
}

async function beginnings(service: Service, progress: Progress) {
  const samples: { readonly child: number; readonly parent: number }[] = [];
  for (let index = 0; samples.length < DELEGATIONS; index += 1) {
    const session = await teamSession(service);
    const watcher = await watch(service, session);
    for (let made = 0; made < 10 && samples.length < DELEGATIONS; made += 1) {
      const began = now();
      await turn(service, session, watcher, 'begin 1');
      const { lead, ada } = requestsSince(service, began);
      const answered = (await lead[0]?.ended)?.atMs ?? Number.NaN;
      if (index * 10 + made < WARM_UP) continue;
      const asked = lead[0]?.arrivedAtMs ?? Number.NaN;
      samples.push({ child: (ada[0]?.arrivedAtMs ?? Number.NaN) - answered, parent: asked - began });
    }
    watcher.close();
  }
  progress(`${samples.length} children begun`);
  return samples;
}

/** Appends that another one preceded: DynamoDB refuses the loser's condition, and it decides anew. */
function lostRaces({ runtime }: Service): number {
  const writes = ['dynamodb:PutItem', 'dynamodb:TransactWriteItems'];
  return callsOnPath(runtime).filter(({ call, status }) => writes.includes(call) && status === 400).length;
}

async function atOnce(service: Service, progress: Progress): Promise<readonly string[][]> {
  const took: number[] = [];
  const used: Awaited<ReturnType<typeof useOf>>[] = [];
  const requests: number[] = [];
  const lost: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const session = await teamSession(service);
    const watcher = await watch(service, session);
    const began = now();
    const use = await useOf(service, () => turn(service, session, watcher, `begin ${AT_ONCE}`));
    watcher.close();
    const races = lostRaces(service);
    const { lead } = requestsSince(service, began);
    const answered = (await lead[0]?.ended)?.atMs ?? Number.NaN;
    // The last request of the lead has read the last report.
    const last = lead.at(-1)?.arrivedAtMs ?? Number.NaN;
    progress(`${AT_ONCE} children at once, ${round} of ${ROUNDS}`);
    if (round === 0) continue;
    took.push(last - answered);
    used.push(use);
    requests.push(lead.length);
    lost.push(races);
  }
  return [
    ['the answer sent → the model request with the last report', told(took)],
    ['model requests of the parent', counted(requests)],
    ['lost races', counted(lost)],
    ['state transitions', counted(used.map(({ transitions }) => transitions))],
    ['write units', counted(used.map(({ writeUnits }) => writeUnits))],
    ['read units', counted(used.map(({ readUnits }) => readUnits))],
    ['Lambda invocations', counted(used.map(({ invocations }) => invocations))],
  ];
}

async function costs(service: Service, progress: Progress): Promise<readonly string[][]> {
  const session = await teamSession(service);
  const watcher = await watch(service, session);
  const measured = async (said: string) => {
    const samples = [];
    for (let index = 0; index < COSTS; index += 1) {
      const use = await useOf(service, () => turn(service, session, watcher, said));
      samples.push({ ...use, calls: callsOnPath(service.runtime).length });
    }
    return samples;
  };
  await turn(service, session, watcher, 'begin 1');
  const [plain, delegated] = [await measured('hi'), await measured('begin 1')];
  watcher.close();
  progress(`${COSTS} delegations counted`);
  const row = (what: string, pick: (used: (typeof plain)[number]) => number) => [
    what,
    counted(delegated.map(pick)),
    counted(plain.map(pick)),
  ];
  return [
    row('write units', ({ writeUnits }) => writeUnits),
    row('read units', ({ readUnits }) => readUnits),
    row('AWS calls of the functions', ({ calls }) => calls),
    row('state transitions', ({ transitions }) => transitions),
    row('Lambda invocations', ({ invocations }) => invocations),
  ];
}

async function wakings(service: Service, progress: Progress): Promise<readonly string[][]> {
  const sessions = [];
  for (const children of FINISHED) {
    const session = await teamSession(service);
    const watcher = await watch(service, session);
    for (let left = children; left > 0; left -= AT_ONCE) {
      await turn(service, session, watcher, `begin ${Math.min(left, AT_ONCE)}`);
    }
    sessions.push({ children, session, watcher, toModel: [] as number[], whole: [] as number[] });
    progress(`a session with ${children} finished children`);
  }
  for (let wake = -WARM_UP; wake < WAKES; wake += 1) {
    for (const { session, watcher, toModel, whole } of sessions) {
      const began = now();
      await turn(service, session, watcher, 'hi');
      if (wake < 0) continue;
      whole.push(now() - began);
      toModel.push((requestsSince(service, began).lead[0]?.arrivedAtMs ?? Number.NaN) - began);
    }
  }
  for (const { watcher } of sessions) watcher.close();
  return sessions.map(({ children, toModel, whole }) => [String(children), told(toModel), told(whole)]);
}
