/**
 * Draws what `npm run demo` printed as a terminal: `npm --silent run demo | node test/pictures/draw-session.ts`. It reads
 * standard input and writes `docs/session.svg`, which has its own dark background and so reads the same on every page.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const COLUMNS = 118;
const LINE_PX = 18;
const CHAR_PX = 7.8;
const EDGE_PX = 20;

/** The part that speaks in a line, by the word after the time. */
const COLOURS: Readonly<Record<string, string>> = {
  you: '#79c0ff',
  session: '#8b949e',
  model: '#d2a8ff',
  agent: '#e6edf3',
  '→': '#7ee787',
};

const lines = readFileSync(0, 'utf8').trimEnd().split('\n').filter(isOfInterest);
const output = [`$ npm run demo`, ...lines.map((line) => cut(line))];
writeFileSync(join(import.meta.dirname, '../../docs/session.svg'), draw(output));

/** The help text of the stand-in is not part of a session. */
function isOfInterest(line: string): boolean {
  return !line.startsWith('I am a scripted stand-in for a model');
}

function cut(line: string): string {
  return line.length <= COLUMNS ? line : `${line.slice(0, COLUMNS - 1)}…`;
}

function draw(shown: readonly string[]): string {
  const width = Math.ceil(COLUMNS * CHAR_PX + 2 * EDGE_PX);
  const height = shown.length * LINE_PX + 2 * EDGE_PX;
  const texts = shown.map((line, index) => {
    const y = EDGE_PX + (index + 0.75) * LINE_PX;
    return `  <text x="${EDGE_PX}" y="${y}" fill="${colourOf(line)}" xml:space="preserve">${escaped(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
  <title>One session of npm run demo on a terminal</title>
  <rect width="${width}" height="${height}" rx="8" fill="#0d1117" stroke="#30363d"/>
  <g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="13">
${texts.join('\n')}
  </g>
</svg>
`;
}

function colourOf(line: string): string {
  const [, speaker = ''] = /^\s+[\d.]+ s\s+(\S+)/.exec(line) ?? [];
  if (line.startsWith('$')) return '#e6edf3';
  return COLOURS[speaker] ?? (speaker === '' ? '#8b949e' : '#ffa657');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
