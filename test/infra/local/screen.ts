/** A terminal with output that a test can read. */
import type { WriteStream } from 'node:tty';
import { openTerminal } from '#infra/local/terminal.ts';

export function screen(fields: Partial<WriteStream>) {
  const written: string[] = [];
  const out = { write: (text: string) => written.push(text) > 0, hasColors: () => false, ...fields } as WriteStream;
  return { written, terminal: openTerminal(out) };
}
