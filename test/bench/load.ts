/** Many sessions at once, one tool call, and one very long session. */
import type { Service } from '#test/journeys/service.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ms, now, spread, table, told } from './figures.ts';
import { follow, type Follower } from './turns.ts';

const SESSIONS = 50;
const TURNS_EACH = 8;
const CALLS = 50;
const LONG_TURNS = 600;
const WINDOW = 40;

export async function load(service: Service, progress: (text: string) => void): Promise<string> {
  return table(
    ['Under load', 'Brainstem', 'open peer'],
    [
      [`${SESSIONS} sessions at once`, await concurrent(service, progress), '38 turns/s'],
      ['`bash echo hi` round trip, p50 / p95', await echoHi(service, progress), '531 ms'],
      [
        `turn ${LONG_TURNS} of one session against its first ones`,
        await longSession(service, progress),
        '2.7 times slower',
      ],
    ],
  );
}

async function concurrent(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(() => ({ text: 'ok' }));
  const followers: Follower[] = [];
  for (let index = 0; index < SESSIONS; index += 1) followers.push(await follow(service, await service.session()));
  await Promise.all(followers.map((follower) => follower.turn('warm up')));
  progress(`${SESSIONS} sessions follow`);
  const began = now();
  const turns = await Promise.all(followers.map(async (follower) => manyTurns(follower, TURNS_EACH)));
  const seconds = (now() - began) / 1000;
  for (const follower of followers) follower.close();
  const whole = spread(turns.flat());
  return `${((SESSIONS * TURNS_EACH) / seconds).toFixed(1)} turns/s (n=${SESSIONS * TURNS_EACH}, turn p50 ${ms(whole.p50)})`;
}

async function manyTurns(follower: Follower, count: number): Promise<readonly number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < count; turn += 1) times.push((await follower.turn('hi')).whole);
  return times;
}

/** From the model's tool call to the next model request, with a running sandbox. */
async function echoHi(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(calling(bash('echo hi')));
  const follower = await follow(service, await service.session());
  await follower.turn('first, with the sandbox’s cold start');
  const samples: number[] = [];
  for (let call = 0; call < CALLS; call += 1) {
    await follower.turn('again');
    const [asked, after] = service.standIn.requests.slice(-2);
    samples.push((after?.arrivedAtMs ?? Number.NaN) - (asked?.arrivedAtMs ?? Number.NaN));
  }
  follower.close();
  progress(`${CALLS} tool calls`);
  return told(samples);
}

async function longSession(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(() => ({ text: 'ok' }));
  const follower = await follow(service, await service.session());
  await manyTurns(follower, 20);
  const times = await manyTurns(follower, LONG_TURNS);
  follower.close();
  progress(`${LONG_TURNS} turns of one session`);
  const first = spread(times.slice(0, WINDOW)).p50;
  const last = spread(times.slice(-WINDOW)).p50;
  return `${(last / first).toFixed(2)} times (p50 of ${WINDOW}: ${ms(first)} → ${ms(last)})`;
}
