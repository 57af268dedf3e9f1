/** `npm run demo`: the whole service, once, with one session in it. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import { launch } from '../launch.ts';
import { readSandbox } from '../start-options.ts';
import { stopSignal } from '../stop-signals.ts';
import { watchCalls, type Calls } from './crash.ts';
import { answerOf, describeEvent, progressAfter } from './event-line.ts';
import { formatSummary, judge, MESSAGE, summarize } from './outcome.ts';
import { followSession, type Arrival } from './session.ts';
import { clean, openTerminal, type Terminal } from './terminal.ts';

const USAGE = `Runs the service once, with one session whose agent writes a program, runs it and reads the result.

  npm run demo -- [options]

  --crash          kill the harness function in the middle of a turn
  --json           print one JSON line in the end, everything else to stderr
  --sandbox KIND   bwrap, docker or process (default: the best that works here)
  --model ID       the agent's model (default claude-opus-5-5)
  --help           print this

Environment: ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL choose the model (without a key a script answers).
`;

/** @throws naming the option and what it may be */
export function readDemoOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      crash: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      sandbox: { type: 'string' },
      model: { type: 'string', default: 'claude-opus-5-5' },
    },
  });
  return { ...values, sandbox: values.sandbox === undefined ? null : readSandbox(values.sandbox) };
}

interface Demo {
  readonly options: ReturnType<typeof readDemoOptions>;
  readonly terminal: Terminal;
  readonly calls: Calls;
  readonly data: string;
  readonly stopping: AbortSignal;
}

/** A demo that finished or was told to stop leaves nothing behind; the logs of one that failed stay. */
async function main(args: readonly string[]): Promise<void> {
  const options = readDemoOptions(args);
  if (options.help) return void process.stdout.write(USAGE);
  const terminal = openTerminal(options.json ? process.stderr : process.stdout);
  const calls = watchCalls(options.crash ? terminal.event : null);
  const data = await mkdtemp(join(tmpdir(), 'brainstem-demo-'));
  const stopping = stopSignal();
  const failure = await runService({ options, terminal, calls, data, stopping }).catch(messageOf);
  terminal.done();
  if (stopping.aborted) process.exitCode = 130;
  else if (failure !== null) {
    process.exitCode = 1;
    terminal.line(terminal.paint('red', clean(failure)));
    const logs = join(data, 'logs');
    if (existsSync(logs)) return terminal.line(`The logs of every function are in ${logs}.`);
  }
  await rm(data, { recursive: true, force: true });
}

/** Returns a sentence about what went wrong with the session, or null. */
async function runService(demo: Demo): Promise<string | null> {
  const { options, terminal, calls, data, stopping } = demo;
  const { runtime, modelName, close } = await launch({
    port: 0,
    data,
    sandbox: options.sandbox,
    cdkOut: null,
    environment: process.env,
    signal: stopping,
    aroundCalls: calls.aroundCalls,
    progress: terminal.wait,
    report: (message) => terminal.line(terminal.paint('yellow', message)),
  });
  try {
    const about = `service ${runtime.baseUrl} · model ${modelName} · sandbox ${runtime.sandbox}`;
    terminal.line(`${terminal.paint('dim', about)}\n`);
    const before = calls.made.length;
    const arrivals = await showSession(demo, new Anthropic({ baseURL: runtime.baseUrl, apiKey: runtime.apiKey }));
    return showOutcome(demo, arrivals, summarize(arrivals, calls.made.slice(before)));
  } finally {
    terminal.wait('Stopping');
    await close();
  }
}

async function showSession({ options, terminal, calls, stopping }: Demo, client: Anthropic) {
  terminal.wait('Opening a session');
  const arrivals: Arrival[] = [];
  // Previews are calls of the harness too, and the call at which `--crash` kills could not be counted off.
  const session = { model: options.model, message: MESSAGE, previews: !options.crash, stopping };
  for await (const arrival of followSession(client, session)) {
    const line = describeEvent(arrival, arrivals);
    if (line !== null) terminal.event(line, arrival.atMs);
    const progress = progressAfter(arrival.event);
    if (progress !== null) terminal.wait(progress);
    calls.observe(arrival);
    arrivals.push(arrival);
  }
  terminal.done();
  return arrivals;
}

function showOutcome(
  { options, terminal, calls }: Demo,
  arrivals: readonly Arrival[],
  summary: ReturnType<typeof summarize>,
): string | null {
  const crash = calls.describeCrash(summary.wallMs);
  const failure = judge(arrivals) ?? (options.crash && crash === null ? 'The harness was not killed.' : null);
  if (options.json) process.stdout.write(`${JSON.stringify({ ok: failure === null, failure, ...summary })}\n`);
  const answer = answerOf(arrivals);
  if (answer !== null) terminal.line(`\n${clean(answer)}`);
  const rows = formatSummary(summary).map(([name, value]) => `${terminal.paint('dim', name.padStart(14))}  ${value}`);
  for (const row of ['', ...rows, '']) terminal.line(row);
  if (crash !== null) terminal.line(crash);
  if (failure === null) terminal.line(terminal.paint('green', 'The session finished and its answer is right.'));
  return failure;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  });
}
