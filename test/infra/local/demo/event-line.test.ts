import { describe, expect, test } from 'vitest';
import { describeEvent, progressAfter, showLine, type EventLine } from '#infra/local/demo/event-line.ts';
import type { SessionEvent } from '#infra/local/demo/session.ts';
import { screen } from '../screen.ts';
import * as given from './arrivals.ts';

const PLAIN = { columns: 100 };

function printed(...events: SessionEvent[]): string | null {
  const arrivals = given.arrive(...events);
  const last = arrivals[arrivals.length - 1];
  const line = last === undefined ? null : describeEvent(last, arrivals.slice(0, -1));
  return line === null || last === undefined ? null : shown(line, last.atMs);
}

function shown(line: EventLine, atMs: number, fields = {}): string {
  const { written, terminal } = screen({ ...PLAIN, ...fields });
  showLine(terminal, line, atMs);
  return written.join('').replace(/\n$/, '');
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

test('the demo tells what it waits for after each event that begins something', () => {
  const events = [given.MODEL_ASKED, given.PREVIEW, given.CALL, given.RESULT, given.MODEL_LOST, given.MODEL_ANSWERED];
  expect(events.map(progressAfter)).toEqual([
    'the model is answering',
    'the model is writing',
    'the sandbox runs bash',
    'the model is asked next',
    'the turn is taken up again',
    null,
  ]);
});

describe('a line of the demo', () => {
  test('is never wider than the screen', () => {
    const line = shown(['tool', 'bash', 'x'.repeat(500), 12_345], 1_000);
    expect(line).toHaveLength(PLAIN.columns);
    expect(line).toMatch(/x…  12\.3 s$/);
  });

  test('has colours only on a terminal with colours', () => {
    const line = ['bad', 'session', 'error'] as const;
    expect(shown(line, 0)).not.toContain('\u001b');
    expect(shown(line, 0, { isTTY: true, hasColors: () => true })).toContain('\u001b[31m');
  });

  test('contains no control sequence that a tool printed', () => {
    expect(shown(['tool', 'bash', 'a\u001b[2Jb\u0007\nc\u001b]0;title\u0007'], 0)).toBe('  0.00 s  bash     ab c');
  });
});
