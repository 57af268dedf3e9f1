import type { Access } from '../aws/service.ts';
import type { Statement } from '../template/parts.ts';
import { judgeConditions, type Judgement } from './conditions.ts';
import { matchesAction, matchesArn } from './patterns.ts';

/** `missing` is the statement, as JSON, that would have to be added (or, for an explicit denial, that refuses). */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly denial: 'implicit' | 'explicit'; readonly missing: string };

const ALLOWED: Verdict = { allowed: true };

/**
 * Judges one access by the statements of an identity policy: a matching denial wins, else a matching allowance is
 * needed. What cannot be judged is denied: an unknown condition never allows and always denies.
 */
export function evaluate(statements: readonly Statement[], access: Access): Verdict {
  return decide(candidates(statements, access), access);
}

/** The statements that speak about this action and resource, whatever their conditions say. */
export function candidates(
  statements: readonly Statement[],
  access: Pick<Access, 'action' | 'resource'>,
): readonly Statement[] {
  return statements.filter((statement) => {
    if (!aboutAction(statement, access.action)) return false;
    const about = aboutResource(statement, access.resource);
    return statement.effect === 'Deny' ? about !== 'no' : about === 'yes';
  });
}

/** Judges statements that `candidates` chose. */
export function decide(chosen: readonly Statement[], access: Access): Verdict {
  const denial = chosen.find((one) => one.effect === 'Deny' && judgeConditions(one, access) !== 'no');
  if (denial !== undefined) return { allowed: false, denial: 'explicit', missing: statementJson('Deny', access) };
  const allowance = chosen.find((one) => one.effect === 'Allow' && judgeConditions(one, access) === 'yes');
  if (allowance !== undefined) return ALLOWED;
  return { allowed: false, denial: 'implicit', missing: statementJson('Allow', access) };
}

function aboutAction(statement: Statement, action: string): boolean {
  if (statement.notActions.length > 0) return !statement.notActions.some((pattern) => matchesAction(pattern, action));
  return statement.actions.some((pattern) => matchesAction(pattern, action));
}

function aboutResource(statement: Statement, resource: string): Judgement {
  const inverted = statement.notResources.length > 0;
  const patterns = inverted ? statement.notResources : statement.resources;
  if (patterns.some((pattern) => !isVariable(pattern) && matchesArn(pattern, resource))) return inverted ? 'no' : 'yes';
  if (patterns.some(isVariable)) return 'unknown';
  return inverted ? 'yes' : 'no';
}

/** A policy variable (`${aws:username}`) stands for something this evaluator does not know. */
function isVariable(pattern: string): boolean {
  return pattern.includes('${');
}

function statementJson(effect: Statement['effect'], access: Access): string {
  return JSON.stringify({ Effect: effect, Action: access.action, Resource: access.resource });
}
