/** Runs the session and shows it while it happens. */
import Anthropic from '@anthropic-ai/sdk';
import type { Calls } from './calls.ts';
import { describeKill, planCrash, tellCrash } from './crash.ts';
import { describeEvent, textOf, type EventLine } from './describe-event.ts';
import { clean, formatLine } from './format-line.ts';
import { judge, MESSAGE } from './judge.ts';
import { progressAfter } from './progress.ts';
import { runDemo, type Arrival } from './run-demo.ts';
import { summarize, type Summary } from './summarize.ts';
import type { Terminal } from './terminal.ts';

/** The parts of the runtime that the demo sees. */
interface DemoRuntime {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly calls: Calls;
}

export interface Outcome {
  /** What went wrong, as a sentence; null when everything went as promised. */
  readonly failure: string | null;
  /** What was killed and what came of it; null when nothing was. */
  readonly crash: string | null;
  readonly summary: Summary;
  /** The agent's last message. */
  readonly answer: string | null;
}

const TIMEOUT_MS = 5 * 60_000;

export async function showDemo(
  runtime: DemoRuntime,
  terminal: Terminal,
  options: { readonly crash: boolean; readonly model: string; readonly stopping: AbortSignal },
): Promise<Outcome> {
  const show = (line: EventLine, atMs: number): void => terminal.line(formatLine(line, atMs, terminal.screen));
  const client = new Anthropic({ baseURL: runtime.baseUrl, apiKey: runtime.apiKey });
  const crash = options.crash ? planCrash(runtime.calls, (kill) => show(describeKill(kill), kill.atMs)) : null;
  const before = runtime.calls.made.length;
  terminal.wait('Opening a session');
  const arrivals = await runDemo(client, {
    model: options.model,
    message: MESSAGE,
    timeoutMs: TIMEOUT_MS,
    stopping: options.stopping,
    previews: crash === null,
    onArrival(arrival, earlier) {
      const line = describeEvent(arrival, earlier);
      if (line !== null) show(line, arrival.atMs);
      const progress = progressAfter(arrival.event);
      if (progress !== null) terminal.wait(progress);
      crash?.observe(arrival);
    },
  });
  terminal.done();
  const summary = summarize(arrivals, runtime.calls.made.slice(before));
  const kill = crash?.killed() ?? null;
  return {
    failure: judge(arrivals) ?? (options.crash && kill === null ? 'The harness was not killed.' : null),
    crash: kill === null ? null : tellCrash(kill, summary.wallMs),
    summary,
    answer: lastMessage(arrivals),
  };
}

function lastMessage(arrivals: readonly Arrival[]): string | null {
  const events = arrivals.map(({ event }) => event);
  const message = events.findLast((event) => event.type === 'agent.message');
  return message === undefined ? null : clean(textOf(message));
}
