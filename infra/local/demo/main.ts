/** `npm run demo`: the whole service, once, with one session in it. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, type Launched } from '../launch.ts';
import { watchCalls } from './calls.ts';
import { stopSignal } from '../stop-signals.ts';
import { clean, paint } from './format-line.ts';
import { readDemoOptions, USAGE, type DemoOptions } from './options.ts';
import { showDemo, type Outcome } from './show-demo.ts';
import { formatSummary } from './summarize.ts';
import { openTerminal, type Terminal } from './terminal.ts';

async function main(args: readonly string[]): Promise<void> {
  const options = readDemoOptions(args);
  if (options.help) return void process.stdout.write(USAGE);
  const terminal = openTerminal(options.json ? process.stderr : process.stdout);
  const data = await mkdtemp(join(tmpdir(), 'brainstem-demo-'));
  const place = { data, terminal, stopping: stopSignal() };
  try {
    const failure = await runOnce(options, place);
    if (failure !== null) throw new Error(failure);
    await rm(data, { recursive: true, force: true });
  } catch (error) {
    await explain(error, place);
  }
}

interface Place {
  readonly data: string;
  readonly terminal: Terminal;
  readonly stopping: AbortSignal;
}

/** Returns what went wrong with the session, as a sentence. */
async function runOnce(options: DemoOptions, { data, terminal, stopping }: Place): Promise<string | null> {
  const calls = watchCalls();
  const launched = await launch({
    port: 0,
    data,
    sandbox: options.sandbox,
    cdkOut: null,
    environment: process.env,
    signal: stopping,
    aroundCalls: calls.aroundCalls,
    progress: (message) => terminal.wait(message),
    report: (message) => terminal.line(paint('yellow', message, terminal.screen)),
  });
  try {
    announce(launched, terminal);
    const outcome = await showDemo({ ...launched.runtime, calls }, terminal, { ...options, stopping });
    conclude(outcome, options, terminal);
    return outcome.failure;
  } finally {
    terminal.wait('Stopping');
    await launched.close();
    terminal.done();
  }
}

/** A demo that was told to stop leaves nothing behind; of one that failed, the logs stay. */
async function explain(error: unknown, { data, terminal, stopping }: Place): Promise<void> {
  terminal.done();
  process.exitCode = stopping.aborted ? 130 : 1;
  if (!stopping.aborted) terminal.line(paint('red', clean(messageOf(error)), terminal.screen));
  const logs = join(data, 'logs');
  if (!stopping.aborted && existsSync(logs)) terminal.line(`The logs of every function are in ${logs}.`);
  else await rm(data, { recursive: true, force: true });
}

function announce({ runtime, modelName }: Launched, terminal: Terminal): void {
  const about = `service ${runtime.baseUrl} · model ${modelName} · sandbox ${runtime.sandbox}`;
  terminal.line(paint('dim', about, terminal.screen));
  terminal.line('');
}

function conclude({ failure, crash, summary, answer }: Outcome, { json }: DemoOptions, terminal: Terminal): void {
  if (json) process.stdout.write(`${JSON.stringify({ ok: failure === null, failure, ...summary })}\n`);
  if (answer !== null) terminal.line(`\n${answer}`);
  terminal.line('');
  for (const row of formatSummary(summary, terminal.screen)) terminal.line(row);
  terminal.line('');
  if (crash !== null) terminal.line(crash);
  if (failure === null) terminal.line(paint('green', 'The session finished and its answer is right.', terminal.screen));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
