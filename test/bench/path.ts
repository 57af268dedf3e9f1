/**
 * Finds the AWS calls that follow one another between a message and the model request. Clock times do not show overlap,
 * so each call is delayed in turn: when the model request is then late too, the call is on the path.
 */
import type { Service } from '#test/journeys/service.ts';
import { ms, now, spread, table } from './figures.ts';
import { follow, type Follower } from './turns.ts';

const HELD_MS = 150;
const TURNS = 5;

/** The calls of a warm turn before the model request, in the order in which they start. */
const CALLS = [
  { by: 'api', name: 'dynamodb:Query', what: 'head read' },
  { by: 'api', name: 'dynamodb:TransactWriteItems', what: 'append, with the session’s row' },
  { by: 'api', name: 'states:StartExecution', what: 'start of the run, beside the append' },
  { by: 'states', name: 'lambda:Invoke', what: 'the state machine invokes the harness' },
  { by: 'harness', name: 'dynamodb:Query', what: 'head and tail read' },
  { by: 'harness', name: 'dynamodb:PutItem', what: 'claim, beside the model request' },
] as const;

export async function path(service: Service): Promise<string> {
  service.standIn.script(() => ({ text: 'ok' }));
  const follower = await follow(service, await service.session());
  await toModel(follower);
  const base = await toModel(follower);
  const rows: string[][] = [];
  for (const call of CALLS.filter(({ by }) => by !== 'states')) {
    service.runtime.faults.delay(`${call.by} ${call.name}`, HELD_MS);
    const waits = (await toModel(follower)) - base > HELD_MS / 2;
    service.runtime.faults.disarm();
    rows.push([`${call.by} → ${call.name}`, call.what, waits ? 'waits' : 'does not wait']);
  }
  for (const { by, name } of CALLS) service.runtime.faults.delay(`${by} ${name}`, HELD_MS);
  const all = (await toModel(follower)) - base;
  service.runtime.faults.disarm();
  follower.close();
  const sequential = Math.round(all / HELD_MS);
  rows.splice(3, 0, ['states → lambda:Invoke', 'the state machine invokes the harness', 'waits']);
  return [
    `Sequential AWS calls from POST to the model request, warm: ${sequential + 1} (goal: at most 4).`,
    `With each call delayed by ${HELD_MS} ms, the model request comes ${ms(all)} later, which is ${sequential} delays. The other call is the invocation.`,
    '',
    table(['Call', 'What', 'The model request'], rows),
  ].join('\n');
}

async function toModel(follower: Follower): Promise<number> {
  const samples: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) samples.push((await follower.turn(`path ${now()}`)).toModel);
  return spread(samples).p50;
}
