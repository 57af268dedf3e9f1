/** The time from a piece of the model's answer to the client's preview of it, at the pace of a fast model. */
import type { Script } from '#test/model/stand-in.ts';
import type { Service } from '#test/journeys/service.ts';
import { now, table, told } from './figures.ts';

const TURNS = 5;
const DELTAS = 80;
const EVERY_MS = 25;

/** Each piece contains its number. */
const counting: Script = () => ({
  text: Array.from({ length: DELTAS }, (_, index) => `<${index}>`),
  chunkDelayMs: EVERY_MS,
});

export async function previews(service: Service, progress: (text: string) => void): Promise<string> {
  service.standIn.script(counting);
  const session = await service.session();
  const first: number[] = [];
  const each: number[] = [];
  // The first turn warms up.
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const latencies = await previewedTurn(service, session);
    if (turn === 0) continue;
    first.push(...latencies.slice(0, 1));
    each.push(...latencies);
    progress(`${turn} of ${TURNS} previewed answers`);
  }
  return table(
    [`Preview, a delta every ${EVERY_MS} ms (p50 / p95)`, 'model → client'],
    [
      ['each delta', told(each)],
      ['the first of an answer', told(first)],
    ],
  );
}

/** The milliseconds that each delta took to the client, in order. */
async function previewedTurn(service: Service, session: string): Promise<readonly number[]> {
  const stream = await service.client.beta.sessions.events.stream(session, { event_deltas: ['agent.message'] });
  await service.send(session, 'go');
  const arrivedAtMs: number[] = [];
  let text = '';
  for await (const event of stream) {
    if (event.type === 'session.status_idle') break;
    if (event.type !== 'event_delta' || event.delta.content.type !== 'text') continue;
    text += event.delta.content.text;
    // A piece has arrived when the mark at its end has.
    while (arrivedAtMs.length < text.split('>').length - 1) arrivedAtMs.push(now());
  }
  const sentAtMs = service.standIn.requests.at(-1)?.deltasAtMs ?? [];
  return arrivedAtMs.map((arrived, index) => arrived - (sentAtMs[index] ?? Number.NaN));
}
