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

test('the demo’s summary counts turns, lost turns, tool calls and AWS calls of its own session only', () => {
  const before = { 'dynamodb:PutItem': 3, 's3:GetObject': 1 };
  const after = { 'dynamodb:PutItem': 8, 'dynamodb:Query': 4, 'states:StartExecution': 1, 's3:GetObject': 1 };
  expect(summarize(session, { before, after, following: 4 })).toEqual({
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
  const rows = formatSummary(summarize(session, { before: {}, after: { 'dynamodb:Query': 5 }, following: 3 }), {
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
  expect(summarize([], { before: {}, after: {}, following: 0 })).toMatchObject({ firstTokenMs: null, wallMs: 0 });
});
