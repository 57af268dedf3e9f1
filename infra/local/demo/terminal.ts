/** The demo's screen: one line per event, above a progress line that turns while the demo waits. */
import { stripVTControlCharacters, styleText } from 'node:util';
import type { EventLine } from './event-line.ts';

type Style = Parameters<typeof styleText>[0];

export type Terminal = ReturnType<typeof openTerminal>;

const STYLES: Readonly<Record<EventLine['tone'], Style>> = {
  user: 'cyan',
  agent: 'white',
  tool: 'yellow',
  service: 'dim',
  good: 'green',
  bad: 'red',
};
const ACTOR_COLUMNS = 8;
const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 80;
const CLEAR_LINE = '\r\u001b[2K';

export function openTerminal(out: NodeJS.WriteStream) {
  // A terminal that does not know its size says 0.
  const columns = out.columns || 120;
  const hasColours = Boolean(out.isTTY && out.hasColors());
  let waiting: { readonly label: string; readonly since: number } | null = null;
  let timer: NodeJS.Timeout | null = null;

  function paint(style: Style, text: string): string {
    return hasColours && text !== '' ? styleText(style, text, { validateStream: false }) : text;
  }

  function draw(): void {
    if (waiting === null) return;
    const elapsed = performance.now() - waiting.since;
    const frame = FRAMES[Math.floor(elapsed / FRAME_MS) % FRAMES.length] ?? '';
    const text = clip(`${frame} ${waiting.label}`, columns - 12);
    out.write(`${CLEAR_LINE}${paint('cyan', text)} ${paint('dim', seconds(elapsed))}`);
  }

  function line(text: string): void {
    out.write(`${waiting === null ? '' : CLEAR_LINE}${text}\n`);
    draw();
  }

  return {
    line,
    paint,
    /** `  1.23 s  agent    I write a program …  0.40 s`, never wider than the screen. */
    event({ tone, actor, text, tookMs }: EventLine, atMs: number) {
      const time = seconds(atMs).padStart(8);
      const took = tookMs === null ? '' : `  ${seconds(tookMs)}`;
      const room = columns - time.length - took.length - ACTOR_COLUMNS - 3;
      const body = `${actor.padEnd(ACTOR_COLUMNS)} ${clip(text, Math.max(room, 20))}`;
      line(`${paint('dim', time)}  ${paint(STYLES[tone], body)}${paint('dim', took)}`);
    },
    /** Starts, or renames, the progress line; without a terminal nothing is shown. */
    wait(label: string) {
      if (!out.isTTY) return;
      waiting = { label, since: performance.now() };
      timer ??= setInterval(draw, FRAME_MS);
      draw();
    },
    done() {
      if (timer !== null) clearInterval(timer);
      if (waiting !== null) out.write(CLEAR_LINE);
      timer = waiting = null;
    },
  };
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
