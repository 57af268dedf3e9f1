import { describe, expect, test } from 'vitest';
import { judge, summarize } from '#infra/local/demo/outcome.ts';
import type { SessionEvent } from '#infra/local/demo/session.ts';
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

const session = given.arrive(
  given.ASKED,
  given.MODEL_ASKED,
  given.MODEL_LOST,
  given.MODEL_ASKED,
  given.PREVIEW,
  given.CALL,
  given.MODEL_ANSWERED,
  given.RESULT,
  given.idle('end_turn'),
);

const call = (by: string, name: string) => ({ by, name });
const FOLLOWING = call('stream', 'dynamodb:Query');
const SAVING = call('harness', 'dynamodb:PutItem');

test('the demo prints turns, lost turns, tool calls and AWS calls, one row per number', () => {
  const calls = [call('api', 'states:StartExecution'), ...Array(4).fill(FOLLOWING), ...Array(5).fill(SAVING)];
  expect(summarize(session, calls)).toEqual([
    ['first token', '4.00 s'],
    ['turns', '1 (and 1 without an answer)'],
    ['tool calls', '1'],
    ['AWS calls', 'dynamodb 9 · states 1 (4 of them by the open event stream, following the log)'],
    ['wall time', '8.00 s'],
  ]);
});

test('the demo shows no time to first token for a session without an answer', () => {
  expect(summarize([], [])).toEqual([
    ['first token', 'none'],
    ['turns', '0'],
    ['tool calls', '0'],
    ['AWS calls', ''],
    ['wall time', '0.00 s'],
  ]);
});
