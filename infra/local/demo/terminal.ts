/** The demo's screen: one line per event, above a progress line that turns while the demo waits. */
import { stripVTControlCharacters, styleText } from 'node:util';
import type { EventLine } from './event-line.ts';

export type Terminal = ReturnType<typeof openTerminal>;

const STYLES = { user: 'cyan', agent: 'white', tool: 'yellow', service: 'dim', good: 'green', bad: 'red' } as const;
const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 80;
const CLEAR_LINE = '\r\u001b[2K';

export function openTerminal(out: NodeJS.WriteStream) {
  // A terminal that does not know its size says 0.
  const columns = out.columns || 120;
  let waiting: { readonly label: string; readonly since: number; readonly timer: NodeJS.Timeout } | null = null;

  function paint(style: Parameters<typeof styleText>[0], text: string): string {
    return out.isTTY && out.hasColors() ? styleText(style, text, { validateStream: false }) : text;
  }

  function draw(): void {
    if (waiting === null) return;
    const elapsed = performance.now() - waiting.since;
    const frame = FRAMES[Math.floor(elapsed / FRAME_MS) % FRAMES.length] ?? '';
    const text = clip(`${frame} ${waiting.label}`, columns - 12);
    out.write(`${CLEAR_LINE}${paint('cyan', text)} ${paint('dim', seconds(elapsed))}`);
  }

  function done(): void {
    if (waiting === null) return;
    clearInterval(waiting.timer);
    out.write(CLEAR_LINE);
    waiting = null;
  }

  function line(text: string): void {
    out.write(`${waiting === null ? '' : CLEAR_LINE}${text}\n`);
    draw();
  }

  /** `  1.23 s  agent    I write a program …  0.40 s`, never wider than the screen. */
  function event([tone, actor, text, tookMs = null]: EventLine, atMs: number): void {
    const time = seconds(atMs).padStart(8);
    const took = tookMs === null ? '' : `  ${seconds(tookMs)}`;
    const body = clip(text, Math.max(columns - time.length - took.length - 11, 20));
    line(`${paint('dim', time)}  ${paint(STYLES[tone], `${actor.padEnd(8)} ${body}`)}${paint('dim', took)}`);
  }

  /** Starts, or renames, the progress line; without a terminal nothing is shown. */
  function wait(label: string): void {
    done();
    if (out.isTTY) waiting = { label, since: performance.now(), timer: setInterval(draw, FRAME_MS) };
    draw();
  }

  return { line, paint, event, wait, done };
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** Tool output may hold anything: control characters would reach the reader's terminal as commands. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/(?!\n|\t)\p{Cc}/gu, '');
}

function clip(text: string, columns: number): string {
  const line = clean(text).replaceAll(/\s+/g, ' ').trim();
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}
