/** A program with the official Python SDK in strict validation, against the local runtime. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReplyTool } from '#infra/local/model/script.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { startService, type Service } from '#test/journeys/service.ts';
import { begin, roleOf, startAgent, wait } from '#test/journeys/teams.ts';
import type { Script } from '#test/model/stand-in.ts';
import { setup } from '#test/synth.ts';
import { installPython, pythonOf } from './python.ts';
import { run, say } from './run.ts';

/** Makes the command of the message its one call: the message as a whole, or what backticks hold. Of files it says what it sees. */
const obedient: Script = (request) => {
  const last = request.messages.at(-1)?.content ?? [];
  const blocks = typeof last === 'string' ? [] : last;
  if (blocks.some(({ type }) => type === 'tool_result')) return { text: 'Done.' };
  const files = blocks.filter((block) => block.type === 'image' || block.type === 'document');
  if (files.length > 0) return { text: JSON.stringify(files.map(({ type, source }) => [type, source])) };
  const text = lastTexts(request).at(-1) ?? '';
  return { text: 'I run it.', tools: [bash(/`(.+)`/.exec(text)?.[1] ?? text)] };
};

/** Reads the report, and asks for a second line with a command. */
const grading: Script = (request) => {
  if (request.messages.length === 1) return { tools: [{ name: 'read', input: { path: 'report.md' } }] };
  const isWhole = lastTexts(request).join('').includes('two');
  const input = isWhole
    ? { result: 'satisfied', explanation: 'Two lines.' }
    : { result: 'needs_revision', explanation: 'Run `echo two >> /mnt/session/outputs/report.md`.' };
  return { tools: [{ name: 'verdict', input }] };
};

/** Makes these calls, and quotes what comes next. */
const first =
  (...tools: readonly ReplyTool[]): Script =>
  (request) =>
    request.messages.length === 1 ? { tools } : { text: `I read: ${lastTexts(request).join(' ')}` };

/** The agents of teams, by the names in their system prompts. */
const TEAM: Readonly<Record<string, Script>> = {
  Lead: first(begin('Ada', 'Ask.'), begin('Bob', 'Run.'), wait),
  Ada: first({ name: 'weather', input: { place: 'Bern' } }),
  Bob: first(bash('echo done')),
  Chief: first(startAgent('Cleo', 'You are Cleo.', 'Count.'), { name: 'ask_advisor', input: { question: 'Why?' } }),
  Cleo: () => ({ text: 'Three.' }),
};

const script: Script = (request, index) => {
  const isOfGrader = (request.tools ?? []).some((tool) => 'name' in tool && tool.name === 'verdict');
  const agent = TEAM[roleOf(request)] ?? obedient;
  return (isOfGrader ? grading : agent)(request, index);
};

const installed = await installPython('anthropic').catch(
  (cause: unknown) => new Error('the Python SDK is not installed', { cause }),
);
if (installed === false) say('SKIPPED: this test needs the Python SDK from PyPI, and PyPI is out of reach from here');

describe.skipIf(installed === false)('the Python SDK in strict validation', () => {
  let service: Service;
  beforeAll(async () => {
    await setup();
    service = await startService({ script, own: true });
  });
  afterAll(() => service?.close());

  it('takes files, memory and skills into sessions and out of them, shows files in messages, judges outcomes, and follows teams', async () => {
    // An error that is thrown here is a failed test. Outside of a test it would be a file without tests.
    if (installed instanceof Error) throw installed;
    const { baseUrl, apiKey } = service.runtime;
    const env = { PATH: process.env['PATH'], ANTHROPIC_BASE_URL: baseUrl, ANTHROPIC_API_KEY: apiKey };
    const ran = await run(pythonOf('anthropic'), [join(import.meta.dirname, 'python_sdk.py')], { env });
    expect(ran).toEqual({ code: 0, output: 'done\n' });
  });
});
