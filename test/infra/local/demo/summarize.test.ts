import { expect, test } from 'vitest';
import { formatSummary, summarize } from '#infra/local/demo/summarize.ts';
import * as given from './arrivals.ts';

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

test('the demo’s summary counts turns, lost turns, tool calls and AWS calls of its own session only', () => {
  const calls = [call('api', 'states:StartExecution'), ...Array(4).fill(FOLLOWING), ...Array(5).fill(SAVING)];
  expect(summarize(session, calls)).toEqual({
    firstTokenMs: 4000,
    turns: 1,
    lostTurns: 1,
    toolCalls: 1,
    awsCalls: { dynamodb: 9, states: 1 },
    followingCalls: 4,
    wallMs: 8000,
  });
});

test('the demo prints its summary as one row per number', () => {
  const rows = formatSummary(summarize(session, [FOLLOWING, FOLLOWING, FOLLOWING, SAVING, SAVING]), {
    columns: 80,
    colour: false,
  });
  expect(rows).toEqual([
    '   first token  4.00 s',
    '         turns  1 (and 1 without an answer)',
    '    tool calls  1',
    '     AWS calls  dynamodb 5 (3 of them by the open event stream, following the log)',
    '     wall time  8.00 s',
  ]);
});

test('the demo shows no time to first token for a session without an answer', () => {
  expect(summarize([], [])).toMatchObject({ firstTokenMs: null, wallMs: 0 });
});
