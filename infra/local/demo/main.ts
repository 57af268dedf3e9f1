/** `npm run demo`: the whole service, once, with one session in it. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import Anthropic from '@anthropic-ai/sdk';
import { launch } from '../launch.ts';
import { readSandbox } from '../start-options.ts';
import { stopSignal } from '../stop-signals.ts';
import { clean, openTerminal, type Terminal } from '../terminal.ts';
import { watchCalls } from './crash.ts';
import { describeEvent, progressAfter, showLine, textOf, type EventLine } from './event-line.ts';
import { judge, MESSAGE, summarize } from './outcome.ts';
import { followSession, type Arrival } from './session.ts';
import { showTeam } from './team.ts';

const USAGE = `Runs the service once, with one session whose agent writes a program, runs it and reads the result.

  npm run demo -- [options]

  --team           show three agents that work on one task at the same time
  --crash          kill the harness function in the middle of a turn
  --sandbox KIND   bwrap, docker or process (default: the best that works here)
  --model ID       the agent's model (default claude-opus-5-5)
  --help           print this

Environment: ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL choose the model (without a key a script answers).
`;

const TIMEOUT_MS = 5 * 60_000;

/** @throws naming the option and what it may be */
export function readDemoOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      crash: { type: 'boolean', default: false },
      team: { type: 'boolean', default: false },
      sandbox: { type: 'string' },
      model: { type: 'string', default: 'claude-opus-5-5' },
    },
  });
  return { ...values, sandbox: values.sandbox === undefined ? null : readSandbox(values.sandbox) };
}

type Options = ReturnType<typeof readDemoOptions>;

/** A demo that finished or was told to stop leaves nothing behind; the logs of one that failed stay. */
async function main(args: readonly string[]): Promise<void> {
  const options = readDemoOptions(args);
  if (options.help) return void process.stdout.write(USAGE);
  const terminal = openTerminal(process.stdout);
  const data = mkdtempSync(join(tmpdir(), 'brainstem-demo-'));
  const stopping = stopSignal();
  const failure = await runDemo(options, terminal, data, stopping).catch(messageOf);
  terminal.done();
  if (stopping.aborted) process.exitCode = 130;
  else if (failure !== null) {
    process.exitCode = 1;
    terminal.line(terminal.paint('red', clean(failure)));
    const logs = join(data, 'logs');
    if (existsSync(logs)) return terminal.line(`The logs of every function are in ${logs}.`);
  }
  rmSync(data, { recursive: true, force: true });
}

/** Returns a sentence about what went wrong with the session, or null. */
async function runDemo(options: Options, terminal: Terminal, data: string, stopping: AbortSignal) {
  const { line, paint, wait } = terminal;
  const show = (shown: EventLine, atMs: number) => showLine(terminal, shown, atMs);
  const calls = watchCalls(options.crash ? show : null);
  const { runtime, modelName, close } = await launch({
    port: 0,
    data,
    sandbox: options.sandbox,
    cdkOut: null,
    environment: process.env,
    signal: stopping,
    aroundCalls: calls.aroundCalls,
    progress: wait,
    report: (message) => line(paint('yellow', message)),
  });
  try {
    line(`${paint('dim', `service ${runtime.baseUrl} · model ${modelName} · sandbox ${runtime.sandbox}`)}\n`);
    wait('Opening a session');
    const client = new Anthropic({ baseURL: runtime.baseUrl, apiKey: runtime.apiKey });
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(TIMEOUT_MS)]);
    if (options.team) return await showTeam(client, terminal, { model: options.model, signal });
    const before = calls.made.length;
    const arrivals: Arrival[] = [];
    // Previews are calls of the harness too, and the call at which `--crash` kills could not be counted off.
    const session = { model: options.model, message: MESSAGE, previews: !options.crash, signal };
    for await (const arrival of followSession(client, session)) {
      const shown = describeEvent(arrival, arrivals);
      if (shown !== null) show(shown, arrival.atMs);
      const progress = progressAfter(arrival.event);
      if (progress !== null) wait(progress);
      calls.observe(arrival);
      arrivals.push(arrival);
    }
    terminal.done();
    const answer = arrivals.findLast(({ event }) => event.type === 'agent.message')?.event;
    if (answer !== undefined && 'content' in answer) line(`\n${clean(textOf(answer))}`);
    const rows = summarize(arrivals, calls.made.slice(before));
    line(`\n${rows.map(([name = '', value]) => `${paint('dim', name.padStart(14))}  ${value}\n`).join('')}`);
    const crash = calls.describeCrash(arrivals.at(-1)?.atMs ?? 0);
    if (crash !== null) line(crash);
    const failure = judge(arrivals) ?? (options.crash && crash === null ? 'The harness was not killed.' : null);
    if (failure === null) line(paint('green', 'The session finished and its answer is right.'));
    return failure;
  } finally {
    wait('Stopping');
    await close();
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'TimeoutError' ? `The session did not finish within ${TIMEOUT_MS / 1000} s.` : error.message;
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  });
}
