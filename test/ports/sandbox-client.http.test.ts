/** The contract of the SandboxClient port for results, with a real sandbox server. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { EventId } from '#contract/ids.ts';
import { callOf, startSandbox, TOKEN } from '#test/sandbox-task/running-sandbox.ts';

const A = EventId.parse('sevt_a');
const client = createSandboxClient();

async function started() {
  const sandbox = await startSandbox();
  onTestFinished(() => sandbox.close());
  if (!('port' in sandbox.address)) throw new Error('no port');
  return { sandbox, place: { address: `127.0.0.1:${sandbox.address.port}`, token: TOKEN } };
}

describe('the result of an earlier call that the sandbox needs', () => {
  it('is named by a call that lacks it, which runs after the result was sent', async () => {
    const { sandbox, place } = await started();
    const text = '😀'.repeat(500_000);
    const call = callOf('bash', { command: 'wc -c < .brainstem/outputs/sevt_a.txt' }, { results: [A] });
    expect(await client.execute(place, call)).toEqual({ status: 'awaits results', calls: [A] });
    expect(await client.give(place, A, text)).toBe('kept');
    expect(await client.give(place, A, text)).toBe('kept');
    expect(await client.execute(place, call)).toMatchObject({ status: 'answered', response: { output: '2000000' } });
    expect(await readFile(join(sandbox.workdir, '.brainstem/outputs/sevt_a.txt'), 'utf8')).toBe(text);
  });

  it('may be refused by the sandbox as too large, and the connection may end', async () => {
    const { place } = await started();
    expect(await client.give(place, A, 'x'.repeat(17_000_000))).toBe('refused');
    expect(await client.give({ ...place, token: 'another' }, A, 'x')).toBe('interrupted');
    expect(await client.give({ ...place, address: '127.0.0.1:1' }, A, 'x')).toBe('interrupted');
  });
});
