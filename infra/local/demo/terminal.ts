import { clip, paint, seconds, type Screen } from './format-line.ts';

/** Writes lines above a progress line that turns while the demo waits. */
export interface Terminal {
  readonly screen: Screen;
  line(text: string): void;
  /** Starts, or renames, the progress line; without a terminal nothing is shown. */
  wait(label: string): void;
  done(): void;
}

const FRAMES = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 80;
const CLEAR_LINE = '\r\u001b[2K';

export function openTerminal(out: NodeJS.WriteStream): Terminal {
  // A terminal that does not know its size says 0.
  const screen = { columns: out.columns || 120, colour: Boolean(out.isTTY && out.hasColors()) };
  let waiting: { readonly label: string; readonly since: number } | null = null;
  let timer: NodeJS.Timeout | null = null;

  function draw(): void {
    if (waiting === null) return;
    const elapsed = performance.now() - waiting.since;
    const frame = FRAMES[Math.floor(elapsed / FRAME_MS) % FRAMES.length] ?? '';
    const text = clip(`${frame} ${waiting.label}`, screen.columns - 12);
    out.write(`${CLEAR_LINE}${paint('cyan', text, screen)} ${paint('dim', seconds(elapsed), screen)}`);
  }

  function wait(label: string): void {
    if (!out.isTTY) return;
    waiting = { label, since: performance.now() };
    timer ??= setInterval(draw, FRAME_MS);
    draw();
  }

  function done(): void {
    if (timer !== null) clearInterval(timer);
    if (waiting !== null) out.write(CLEAR_LINE);
    timer = waiting = null;
  }

  function line(text: string): void {
    if (waiting !== null) out.write(CLEAR_LINE);
    out.write(`${text}\n`);
    draw();
  }

  return { screen, line, wait, done };
}
