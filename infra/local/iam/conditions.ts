import type { Access } from '../aws/service.ts';
import type { Statement } from '../template/parts.ts';
import { matchesArn, matchesGlob } from './patterns.ts';

/** `unknown`: this evaluator does not know the operator or the key. */
export type Judgement = 'yes' | 'no' | 'unknown';

type Comparison = (actual: string, expected: string) => boolean;

const numeric =
  (compare: (actual: number, expected: number) => boolean): Comparison =>
  (actual, expected) =>
    compare(Number(actual), Number(expected));

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  StringEquals: (actual, expected) => actual === expected,
  StringEqualsIgnoreCase: (actual, expected) => actual.toLowerCase() === expected.toLowerCase(),
  StringLike: (actual, expected) => matchesGlob(expected, actual),
  ArnEquals: (actual, expected) => matchesArn(expected, actual),
  ArnLike: (actual, expected) => matchesArn(expected, actual),
  Bool: (actual, expected) => actual.toLowerCase() === expected.toLowerCase(),
  NumericEquals: numeric((actual, expected) => actual === expected),
  NumericLessThan: numeric((actual, expected) => actual < expected),
  NumericLessThanEquals: numeric((actual, expected) => actual <= expected),
  NumericGreaterThan: numeric((actual, expected) => actual > expected),
  NumericGreaterThanEquals: numeric((actual, expected) => actual >= expected),
};

/** Negated operators: none of the listed values may match. */
const NEGATIONS: Readonly<Record<string, string>> = {
  StringNotEquals: 'StringEquals',
  StringNotEqualsIgnoreCase: 'StringEqualsIgnoreCase',
  StringNotLike: 'StringLike',
  ArnNotEquals: 'ArnEquals',
  ArnNotLike: 'ArnLike',
  NumericNotEquals: 'NumericEquals',
};

/** All conditions of a statement together: one `no` is a no, else one `unknown` leaves it unknown. */
export function judgeConditions(statement: Statement, access: Access): Judgement {
  const judgements = Object.entries(statement.conditions).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, expected]) => judge(operator, contextValues(access, key), expected)),
  );
  if (judgements.includes('no')) return 'no';
  return judgements.includes('unknown') ? 'unknown' : 'yes';
}

/** Condition keys are not case sensitive. */
function contextValues(access: Access, key: string): readonly string[] | null {
  const exact = access.context[key];
  if (exact !== undefined) return exact;
  const found = Object.entries(access.context).find(([name]) => name.toLowerCase() === key.toLowerCase());
  return found === undefined ? null : found[1];
}

/**
 * A key that the call does not carry is `unknown` even where AWS has a rule for absent keys: the local context is
 * smaller than the real one, so absence here says nothing about absence there.
 */
function judge(operator: string, actual: readonly string[] | null, expected: readonly string[]): Judgement {
  const [, quantifier = '', name = ''] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(?:IfExists)?$/.exec(operator) ?? [];
  const negated = NEGATIONS[name];
  const compare = COMPARISONS[negated ?? name];
  if (compare === undefined || actual === null) return 'unknown';
  if (expected.some((value) => value.includes('${'))) return 'unknown';
  const listed = (value: string): boolean => expected.some((candidate) => compare(value, candidate));
  const holds = negated === undefined ? listed : (value: string): boolean => !listed(value);
  // Without a quantifier a positive operator asks for one match, a negated one for no match at all.
  const any = quantifier === 'ForAnyValue' || (quantifier === '' && negated === undefined);
  return (any ? actual.some(holds) : actual.every(holds)) ? 'yes' : 'no';
}
