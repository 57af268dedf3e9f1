/** kill -9 during a model request, and then a start on the same data. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import { startStandIn } from '#test/model/stand-in.ts';
import { startProcess } from '#test/faults/runtime-process.ts';
import { now, table, told } from './figures.ts';

const ROUNDS = 5;

export async function resume(progress: (text: string) => void): Promise<string> {
  const asked: number[] = [];
  const answered: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const times = await killed();
    asked.push(times.asked);
    answered.push(times.answered);
    progress(`${round} of ${ROUNDS} kills`);
  }
  return table(
    ['kill -9 in mid-request, start again (p50 / p95)', 'after the service is ready'],
    [
      ['the model is asked again (goal: under 2 s)', told(asked)],
      ['the turn is answered', told(answered)],
    ],
  );
}

async function killed() {
  const data = mkdtempSync(join(tmpdir(), 'brainstem-bench-'));
  const standIn = await startStandIn({
    script: () => ({ text: ['a', 'b'], hold: new Promise(() => undefined), holdBefore: 3 }),
  });
  const first = await startProcess(data, standIn.url);
  const client = new Anthropic({ baseURL: first.baseUrl, apiKey: first.apiKey });
  const agent = await client.beta.agents.create({ name: 'Ada', model: 'claude-opus-5' });
  const environment = await client.beta.environments.create({ name: 'lab' });
  const { id } = await client.beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  const content = [{ type: 'text' as const, text: 'hi' }];
  await client.beta.sessions.events.send(id, { events: [{ type: 'user.message', content }] });
  await standIn.waitForRequest(1);
  await first.kill();
  standIn.script(() => ({ text: 'ok' }));
  const second = await startProcess(data, standIn.url);
  const ready = now();
  const again = new Anthropic({ baseURL: second.baseUrl, apiKey: second.apiKey });
  while ((await again.beta.sessions.retrieve(id)).status !== 'idle') await new Promise((done) => setTimeout(done, 5));
  const answered = now() - ready;
  const { arrivedAtMs } = await standIn.waitForRequest(2);
  await second.kill();
  await standIn.close();
  rmSync(data, { recursive: true, force: true });
  // The runtime continues the executions of the killed one before it reports that it is ready.
  return { asked: Math.max(0, arrivedAtMs - ready), answered };
}
