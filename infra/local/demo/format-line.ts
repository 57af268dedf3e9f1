import { stripVTControlCharacters, styleText } from 'node:util';
import type { EventLine, Tone } from './describe-event.ts';

export interface Screen {
  readonly columns: number;
  readonly colour: boolean;
}

type Style = Parameters<typeof styleText>[0];

const STYLES: Readonly<Record<Tone, Style>> = {
  user: 'cyan',
  agent: 'white',
  tool: 'yellow',
  service: 'dim',
  good: 'green',
  bad: 'red',
};

/** `  1.23 s  agent    I write a program …  0.40 s`, never wider than the screen. */
export function formatLine(line: EventLine, atMs: number, screen: Screen): string {
  const time = seconds(atMs).padStart(8);
  const took = line.tookMs === undefined ? '' : `  ${seconds(line.tookMs)}`;
  const room = screen.columns - time.length - took.length - ACTOR_COLUMNS - 3;
  const text = clip(line.text, Math.max(room, 20));
  const body = `${line.actor.padEnd(ACTOR_COLUMNS)} ${text}`;
  return `${paint('dim', time, screen)}  ${paint(STYLES[line.tone], body, screen)}${paint('dim', took, screen)}`;
}

const ACTOR_COLUMNS = 8;

export function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(2)} s` : `${(ms / 1000).toFixed(1)} s`;
}

export function paint(style: Style, text: string, { colour }: Screen): string {
  return colour && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

export function clip(text: string, columns: number): string {
  const line = clean(text).replaceAll(/\s+/g, ' ').trim();
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}

/** Tool output may hold anything: control characters would reach the reader's terminal as commands. */
export function clean(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/(?!\n|\t)\p{Cc}/gu, '');
}
