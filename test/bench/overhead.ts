/** The cost of durability: the service's turn and the same turn in a bare SDK loop, alternating in one run. */
import Anthropic from '@anthropic-ai/sdk';
import type { Service } from '#test/journeys/service.ts';
import { spread, table, told } from './figures.ts';
import { bareTurn, follow, type TurnTimes } from './turns.ts';

const TURNS = 200;
const WARM_UP = 20;

/** A widely used open-source peer, one process and SQLite, on a machine of this kind: p50 in ms. */
const PEER = { toModel: '15 ms', toText: '25 ms', whole: '29 ms' };

/** The time of one turn of the bare SDK loop here, with which the other times are compared. */
export async function bareTurnMs(service: Service): Promise<number> {
  service.standIn.script(() => ({ text: 'ok' }));
  const bare = new Anthropic({ baseURL: service.standIn.url, apiKey: 'sk-test' });
  const samples: number[] = [];
  for (let turn = 0; turn < WARM_UP + TURNS; turn += 1) {
    const { whole } = await bareTurn(bare, service.standIn, 'hi');
    if (turn >= WARM_UP) samples.push(whole);
  }
  return spread(samples).p50;
}

export async function overhead(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(() => ({ text: 'ok' }));
  const bare = new Anthropic({ baseURL: service.standIn.url, apiKey: 'sk-test' });
  const ours: TurnTimes[] = [];
  const theirs: TurnTimes[] = [];
  // Sessions have 20 turns, so that the length of a conversation does not influence the result.
  for (let index = 0; ours.length < TURNS; index += 1) {
    const follower = await follow(service, await service.session());
    for (let turn = 0; turn < 20 && ours.length < TURNS; turn += 1) {
      const times = await follower.turn('hi');
      const plain = await bareTurn(bare, service.standIn, 'hi');
      if (index * 20 + turn < WARM_UP) continue;
      ours.push(times);
      theirs.push(plain);
    }
    follower.close();
    progress(`${ours.length} of ${TURNS} turns`);
  }
  const row = (name: string, pick: (times: TurnTimes) => number, peer: string) => [
    name,
    told(ours.map(pick)),
    told(theirs.map(pick)),
    peer,
  ];
  return table(
    ['One turn, model answers at once (p50 / p95)', 'Brainstem', 'bare SDK loop', 'open peer, p50'],
    [
      row('POST → model request', (times) => times.toModel, PEER.toModel),
      row('POST → first text at the client', (times) => times.toText, PEER.toText),
      row('POST → turn over', (times) => times.whole, PEER.whole),
    ],
  );
}
