import { describe, expect, test } from 'vitest';
import { judge } from '#infra/local/demo/judge.ts';
import type { SessionEvent } from '#infra/local/demo/run-demo.ts';
import * as given from './arrivals.ts';

const END = given.idle('end_turn');

describe('the check at the end of the demo', () => {
  test.each<[string, SessionEvent[]]>([
    ['a finished session with the right sum', [given.CALL, given.RESULT, given.ANSWER, END]],
    ['a failed call before the right one', [given.CALL, given.RESULT, given.FAILED, given.ANSWER, END]],
  ])('accepts this output: %s', (_name, events) => {
    expect(judge(given.arrive(...events))).toBeNull();
  });

  test.each<[string, SessionEvent[], RegExp]>([
    ['no event', [], /ended early, after no event/],
    ['a stream that ends early', [given.CALL, given.RESULT], /ended early, after agent\.tool_result/],
    ['exhausted retries', [given.idle('retries_exhausted')], /stopped with retries_exhausted/],
    ['an error', [given.FAILED, given.idle('retries_exhausted')], /retries_exhausted\. Overloaded/],
    ['a call without a result', [given.CALL, given.ANSWER, END], /bash call has 0 results/],
    ['a call with two results', [given.CALL, given.RESULT, given.RESULT, given.ANSWER, END], /bash call has 2 results/],
    ['a sum that no tool computed', [given.CALL, given.result('42'), given.ANSWER, END], /No tool result/],
    ['a sum from a failed tool', [given.CALL, given.result('24133', true), given.ANSWER, END], /No tool result/],
    ['an answer without the sum', [given.CALL, given.RESULT, END], /last message/],
  ])('rejects this output: %s', (_name, events, reason) => {
    expect(judge(given.arrive(...events))).toMatch(reason);
  });
});
