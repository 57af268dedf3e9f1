import { describe, expect, test } from 'vitest';
import { evaluate } from '#infra/local/iam/evaluate.ts';
import { createVerdicts } from '#infra/local/iam/verdicts.ts';
import type { Access } from '#infra/local/aws/service.ts';
import type { Statement } from '#infra/local/template/parts.ts';

const TABLE = 'arn:aws:dynamodb:us-east-1:000000000000:table/Log';
const PUT: Access = { action: 'dynamodb:PutItem', resource: TABLE, context: {} };

function allow(
  actions: string | string[],
  resources: string | string[],
  conditions: Statement['conditions'] = {},
): Statement {
  return {
    effect: 'Allow',
    actions: [actions].flat(),
    notActions: [],
    resources: [resources].flat(),
    notResources: [],
    conditions,
  };
}

const deny = (...given: Parameters<typeof allow>): Statement => ({ ...allow(...given), effect: 'Deny' });
const allowed = (statements: readonly Statement[], access: Access = PUT): boolean =>
  evaluate(statements, access).allowed;

describe('an IAM policy’s action and resource', () => {
  test.each<[string, Statement[], boolean]>([
    ['no statement', [], false],
    ['the exact action and resource', [allow('dynamodb:PutItem', TABLE)], true],
    ['another action', [allow('dynamodb:GetItem', TABLE)], false],
    ['another resource', [allow('dynamodb:PutItem', `${TABLE}2`)], false],
    ['a wildcard action', [allow('dynamodb:Put*', TABLE)], true],
    ['an action in other letters', [allow('DynamoDB:putitem', TABLE)], true],
    ['everything', [allow('*', '*')], true],
    ['a question mark for one character', [allow('dynamodb:PutIte?', TABLE)], true],
    ['a question mark for no character', [allow('dynamodb:PutItem?', TABLE)], false],
    [
      'a wildcard inside the last part',
      [allow('dynamodb:PutItem', 'arn:aws:dynamodb:us-east-1:000000000000:table/*')],
      true,
    ],
    ['a wildcard that would reach over parts', [allow('dynamodb:PutItem', 'arn:aws:dynamodb:*:table/Log')], false],
    ['a resource in other letters', [allow('dynamodb:PutItem', TABLE.toUpperCase())], false],
    ['a policy variable', [allow('dynamodb:PutItem', `${TABLE}\${aws:username}*`)], false],
    ['a denial beside an allowance', [allow('*', '*'), deny('dynamodb:PutItem', TABLE)], false],
    ['a denial of something else', [allow('*', '*'), deny('dynamodb:DeleteItem', TABLE)], true],
    ['a denial with a policy variable', [allow('*', '*'), deny('*', 'arn:aws:s3:::${aws:username}')], false],
    ['NotAction that names it', [{ ...allow([], '*'), notActions: ['dynamodb:*'] }], false],
    ['NotAction that names another', [{ ...allow([], '*'), notActions: ['s3:*'] }], true],
    ['NotResource that names it', [{ ...allow('*', []), notResources: [TABLE] }], false],
    ['NotResource that names another', [{ ...allow('*', []), notResources: ['arn:aws:s3:::*'] }], true],
  ])('are matched as IAM does: %s', (_name, statements, expected) => {
    expect(allowed(statements)).toBe(expected);
  });
});

describe('an IAM policy’s condition', () => {
  const leading = (values: readonly string[]): Access => ({ ...PUT, context: { 'dynamodb:LeadingKeys': values } });
  const on = (operator: string, expected: string[]): Statement[] => [
    allow('*', '*', { [operator]: { 'dynamodb:LeadingKeys': expected } }),
  ];
  test.each<[string, string, string[], string[], boolean]>([
    ['an equal string', 'StringEquals', ['a'], ['a'], true],
    ['a different string', 'StringEquals', ['a'], ['b'], false],
    ['one of several', 'StringEquals', ['a', 'b'], ['b'], true],
    ['a pattern', 'StringLike', ['sesn_*'], ['sesn_1'], true],
    ['a negation that holds', 'StringNotEquals', ['a', 'b'], ['c'], true],
    ['a negation that does not', 'StringNotEquals', ['a', 'b'], ['b'], false],
    ['a negated pattern', 'StringNotLike', ['x*'], ['xy'], false],
    [
      'an ARN pattern',
      'ArnLike',
      ['arn:aws:ecs:*:*:cluster/x'],
      ['arn:aws:ecs:us-east-1:000000000000:cluster/x'],
      true,
    ],
    [
      'an equal ARN',
      'ArnEquals',
      ['arn:aws:ecs:us-east-1:000000000000:cluster/x'],
      ['arn:aws:ecs:us-east-1:000000000000:cluster/y'],
      false,
    ],
    ['a boolean', 'Bool', ['true'], ['true'], true],
    ['a number below', 'NumericLessThan', ['10'], ['9'], true],
    ['a number above', 'NumericLessThanEquals', ['10'], ['11'], false],
    ['every value listed', 'ForAllValues:StringLike', ['sesn_*'], ['sesn_1', 'sesn_2'], true],
    ['one value not listed', 'ForAllValues:StringLike', ['sesn_*'], ['sesn_1', 'agent_1'], false],
    ['any value listed', 'ForAnyValue:StringEquals', ['a'], ['b', 'a'], true],
    ['no value listed', 'ForAnyValue:StringEquals', ['a'], ['b', 'c'], false],
    ['an unknown operator', 'DateLessThan', ['2030-01-01'], ['2020-01-01'], false],
    ['a policy variable as value', 'StringEquals', ['${aws:username}'], ['a'], false],
  ])('is evaluated as IAM does: %s', (_name, operator, expected, actual, verdict) => {
    expect(allowed(on(operator, expected), leading(actual))).toBe(verdict);
  });

  test('on a key that the call lacks never allows', () => {
    expect(allowed([allow('*', '*', { StringEquals: { 'aws:Unknown': ['x'] } })])).toBe(false);
    expect(allowed([allow('*', '*', { StringEqualsIfExists: { 'aws:Unknown': ['x'] } })])).toBe(false);
    expect(allowed([allow('*', '*', { 'ForAllValues:StringEquals': { 'aws:Unknown': ['x'] } })])).toBe(false);
  });

  test('that cannot be evaluated makes a deny statement deny, and a false one does not', () => {
    const unless = (key: string): Statement[] => [
      allow('*', '*'),
      deny('*', '*', { StringEquals: { [key]: ['other'] } }),
    ];
    expect(allowed(unless('aws:Unknown'))).toBe(false);
    expect(allowed(unless('dynamodb:LeadingKeys'), leading(['mine']))).toBe(true);
    expect(allowed(unless('dynamodb:LeadingKeys'), leading(['other']))).toBe(false);
  });

  test('has keys that match in upper and lower case', () => {
    expect(allowed([allow('*', '*', { StringEquals: { 'DYNAMODB:leadingkeys': ['a'] } })], leading(['a']))).toBe(true);
  });
});

test('a denial names the missing statement', () => {
  expect(evaluate([], PUT)).toEqual({
    allowed: false,
    denial: 'implicit',
    missing: `{"Effect":"Allow","Action":"dynamodb:PutItem","Resource":"${TABLE}"}`,
  });
});

describe('the rights of a role', () => {
  const role = { arn: 'arn:aws:iam::000000000000:role/R', name: 'R' };

  test('are none for an unknown role', () => {
    expect(createVerdicts([]).judge(role.arn, PUT).allowed).toBe(false);
  });

  test('are judged by condition for each call, also after another call was cached', () => {
    const statements = [allow('*', '*', { StringEquals: { 'dynamodb:LeadingKeys': ['a'] } })];
    const verdicts = createVerdicts([{ ...role, statements }]);
    const judge = (key: string): boolean =>
      verdicts.judge(role.arn, { ...PUT, context: { 'dynamodb:LeadingKeys': [key] } }).allowed;
    expect([judge('a'), judge('b'), judge('a')]).toEqual([true, false, true]);
  });

  test('are not limited by a statement that denies requests without TLS', () => {
    const statements = [allow('*', '*'), deny('*', '*', { Bool: { 'aws:SecureTransport': ['false'] } })];
    expect(createVerdicts([{ ...role, statements }]).judge(role.arn, PUT).allowed).toBe(true);
  });
});
