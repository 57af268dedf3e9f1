import { describe, expect, test } from 'vitest';
import { describeEvent } from '#infra/local/demo/describe-event.ts';
import { clip, formatLine } from '#infra/local/demo/format-line.ts';
import type { SessionEvent } from '#infra/local/demo/run-demo.ts';
import * as given from './arrivals.ts';

const PLAIN = { columns: 100, colour: false };

function printed(...events: SessionEvent[]): string | null {
  const arrivals = given.arrive(...events);
  const last = arrivals[arrivals.length - 1];
  const line = last === undefined ? null : describeEvent(last, arrivals.slice(0, -1));
  return line === null || last === undefined ? null : formatLine(line, last.atMs, PLAIN);
}

describe('the demo prints each event as one line', () => {
  test.each<[string, SessionEvent[], string]>([
    ['your message', [given.ASKED], '  0.00 s  you      add up the primes'],
    ['your message, taken up', [given.TAKEN], '  0.00 s  you      the agent took up your message'],
    ['a status', [given.RUNNING], '  0.00 s  session  status running'],
    ['a model request', [given.MODEL_ASKED], '  0.00 s  model    asked'],
    [
      'its answer, with how long it took',
      [given.MODEL_ASKED, given.THOUGHT, given.MODEL_ANSWERED],
      '  2.00 s  model    answered: 12 tokens in, 8 cached, 3 out  2.00 s',
    ],
    [
      'a lost model request',
      [given.MODEL_ASKED, given.MODEL_LOST],
      '  1.00 s  model    the request got no answer  1.00 s',
    ],
    ['a tool call', [given.CALL], '  0.00 s  bash     bash primes.sh'],
    ['a tool result', [given.CALL, given.RESULT], '  1.00 s           → sum 24133  1.00 s'],
    ['a failed tool', [given.CALL, given.result('exit 1', true)], '  1.00 s           ✗ exit 1  1.00 s'],
    ['a message', [given.ANSWER], '  0.00 s  agent    The sum is 24,133.'],
    ['an error', [given.FAILED], '  0.00 s  session  error: Overloaded (retrying)'],
    ['usage', [given.USED], '  0.00 s  session  used 12 tokens in, 3 out'],
    ['the end', [given.idle('end_turn')], '  0.00 s  session  idle: end_turn'],
  ])('%s', (_name, events, line) => {
    expect(printed(...events)).toBe(line);
  });

  test('except a preview, which has no line', () => {
    expect(printed(given.PREVIEW)).toBeNull();
  });
});

describe('a line of the demo', () => {
  test('is never wider than the screen', () => {
    const line = formatLine({ tone: 'tool', actor: 'bash', text: 'x'.repeat(500), tookMs: 12_345 }, 1_000, PLAIN);
    expect(line).toHaveLength(PLAIN.columns);
    expect(line).toMatch(/x…  12\.3 s$/);
  });

  test('has colours only on a terminal with colours', () => {
    const line = { tone: 'bad' as const, actor: 'session', text: 'error' };
    expect(formatLine(line, 0, PLAIN)).not.toContain('\u001b');
    expect(formatLine(line, 0, { ...PLAIN, colour: true })).toContain('\u001b[31m');
  });

  test('contains no control sequence that a tool printed', () => {
    expect(clip('a\u001b[2Jb\u0007\nc\u001b]0;title\u0007', 80)).toBe('ab c');
  });
});
