/** A program with the official Python SDK in strict validation, against the local runtime. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';
import type { Script } from '#test/model/stand-in.ts';
import { setup } from '#test/synth.ts';
import { installPython, pythonOf } from './python.ts';
import { run, say } from './run.ts';

/** Makes the command of the message its one call. */
const obedient: Script = (request) => {
  const content = request.messages.at(-1)?.content ?? [];
  const isAnswered = typeof content !== 'string' && content.some((block) => block.type === 'tool_result');
  return isAnswered ? { text: 'Done.' } : { text: 'I run it.', tools: [bash(lastTexts(request).at(-1) ?? '')] };
};

const installed = await installPython('anthropic').catch(
  (cause: unknown) => new Error('the Python SDK is not installed', { cause }),
);
if (installed === false) say('SKIPPED: this test needs the Python SDK from PyPI, and PyPI is out of reach from here');

describe.skipIf(installed === false)('the Python SDK in strict validation', () => {
  let service: Service;
  beforeAll(async () => {
    await setup();
    service = await startService({ script: obedient, own: true });
  });
  afterAll(() => service?.close());

  it('takes files, memory and skills into sessions and out of them', async () => {
    // An error that is thrown here is a failed test. Outside of a test it would be a file without tests.
    if (installed instanceof Error) throw installed;
    const { baseUrl, apiKey } = service.runtime;
    const env = { PATH: process.env['PATH'], ANTHROPIC_BASE_URL: baseUrl, ANTHROPIC_API_KEY: apiKey };
    const ran = await run(pythonOf('anthropic'), [join(import.meta.dirname, 'python_sdk.py')], { env });
    expect(ran).toEqual({ code: 0, output: 'done\n' });
  });
});
