/** A screen for people: lines, above a progress line that turns while something takes long. */
import { stripVTControlCharacters, styleText } from 'node:util';

export type Terminal = ReturnType<typeof openTerminal>;

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

  /** Starts, or renames, the progress line; without a terminal nothing is shown. */
  function wait(label: string): void {
    done();
    if (out.isTTY) waiting = { label, since: performance.now(), timer: setInterval(draw, FRAME_MS) };
    draw();
  }

  return { columns, line, paint, wait, done };
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** Tool output may hold anything: control characters would reach the reader's terminal as commands. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/(?!\n|\t)\p{Cc}/gu, '');
}

/** One line of clean text, never longer than this. */
export function clip(text: string, columns: number): string {
  const line = clean(text).replaceAll(/\s+/g, ' ').trim();
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}
