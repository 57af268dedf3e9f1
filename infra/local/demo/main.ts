/** `npm run demo`: the whole service, once, with one session in it. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, type Launched } from '../launch.ts';
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
  const stopping = new AbortController();
  try {
    const failure = await runOnce(options, { data, terminal, stopping });
    if (failure !== null) throw new Error(failure);
    await rm(data, { recursive: true, force: true });
  } catch (error) {
    terminal.done();
    if (stopping.signal.aborted) return;
    terminal.line(paint('red', clean(messageOf(error)), terminal.screen));
    // Without logs nothing was started, and the folder has nothing to tell.
    const logs = join(data, 'logs');
    if (existsSync(logs)) terminal.line(`The logs of every function are in ${logs}.`);
    else await rm(data, { recursive: true, force: true });
    process.exitCode = 1;
  }
}

interface Place {
  readonly data: string;
  readonly terminal: Terminal;
  readonly stopping: AbortController;
}

/** Returns what went wrong with the session, as a sentence. */
async function runOnce(options: DemoOptions, { data, terminal, stopping }: Place): Promise<string | null> {
  const launching = launch({
    port: 0,
    data,
    sandbox: options.sandbox,
    cdkOut: null,
    environment: process.env,
    signal: stopping.signal,
    progress: (message) => terminal.wait(message),
    report: (message) => terminal.line(paint('yellow', message, terminal.screen)),
  });
  stopOnSignal(launching, data, stopping);
  const launched = await launching;
  try {
    announce(launched, terminal);
    const outcome = await showDemo(launched.runtime, terminal, options);
    conclude(outcome, options, terminal);
    return outcome.failure;
  } finally {
    terminal.wait('Stopping');
    await launched.close();
    terminal.done();
  }
}

/** Ctrl-C stops everything that was started, and leaves nothing behind; a second one does not wait for that. */
function stopOnSignal(launching: Promise<Launched>, data: string, stopping: AbortController): void {
  const stop = async (): Promise<void> => {
    if (stopping.signal.aborted) process.exit(130);
    stopping.abort();
    await launching.then((launched) => launched.close()).catch(() => {});
    await rm(data, { recursive: true, force: true });
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop());
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
