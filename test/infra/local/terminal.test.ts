import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { screen } from './screen.ts';

const CLEAR_LINE = '\r\u001b[2K';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('output to a pipe has lines only, without progress and colours', () => {
  const { written, terminal } = screen({});
  terminal.wait('waiting');
  terminal.line('one');
  terminal.done();
  expect(written).toEqual(['one\n']);
  expect(terminal.paint('red', 'one')).toBe('one');
});

test('output to a terminal has a progress line below, which is removed at the end', () => {
  const { written, terminal } = screen({ isTTY: true, columns: 80 });
  terminal.wait('model answers');
  vi.advanceTimersByTime(200);
  terminal.line('one');
  terminal.done();
  const text = written.join('');
  expect(text).toContain('⠙ model answers 0.08 s');
  expect(text).toContain(`${CLEAR_LINE}one\n`);
  expect(text.endsWith(CLEAR_LINE)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
