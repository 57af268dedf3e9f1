/** Makes of a schema's issues one sentence that names the field and the rule, and never quotes the value. */
import type * as z from 'zod';

type Issue = z.core.$ZodIssue;

/** `events.0.content: is required` */
export function explain(error: z.ZodError, root: string): string {
  const issue = error.issues[0];
  return issue === undefined ? `${root}: is invalid` : explainIssue(issue, [], root);
}

function explainIssue(issue: Issue, parents: readonly PropertyKey[], root: string): string {
  const path = [...parents, ...issue.path];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return explainUnion(issue.errors, path, root);
  if (issue.code === 'invalid_key' && issue.issues[0] !== undefined) {
    return `${fieldName(path, root)}: key ${ruleOf(issue.issues[0])}`;
  }
  if (issue.code === 'unrecognized_keys')
    return `${fieldName([...path, issue.keys[0] ?? ''], root)}: is not a known field`;
  return `${fieldName(path, root)}: ${ruleOf(issue)}`;
}

/** Explains the first branch that fits the type of the value; when none does, it lists the rules of all branches. */
function explainUnion(branches: readonly (readonly Issue[])[], path: readonly PropertyKey[], root: string): string {
  const firsts = branches.flatMap((issues) => issues.slice(0, 1));
  const meant = firsts.find((issue) => !isWrongType(issue));
  if (meant !== undefined) return explainIssue(meant, path, root);
  return `${fieldName(path, root)}: ${[...new Set(firsts.map(ruleOf))].join(', or ')}`;
}

/** The branch is for values of another type. */
function isWrongType(issue: Issue): boolean {
  if (issue.path.length > 1) return false;
  return issue.code === 'invalid_type'
    ? issue.path.length === 0
    : issue.code === 'invalid_value' && issue.path[0] === 'type';
}

function ruleOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue);
    case 'too_small':
      return issue.message.startsWith('Too small')
        ? `must ${measure(issue.origin, `at least ${issue.minimum}`)}`
        : issue.message;
    case 'too_big':
      return issue.message.startsWith('Too big')
        ? `must ${measure(issue.origin, `at most ${issue.maximum}`)}`
        : issue.message;
    case 'invalid_value':
      return issue.message.startsWith('Invalid')
        ? `must be one of ${issue.values.map(String).join(', ')}`
        : issue.message;
    case 'invalid_union':
      return 'options' in issue && issue.options !== undefined
        ? `must be one of ${issue.options.map(String).join(', ')}`
        : issue.message;
    case 'invalid_format':
      return issue.message.startsWith('Invalid') ? `must be a valid ${issue.format}` : issue.message;
    default:
      return issue.message;
  }
}

function wrongType(issue: Extract<Issue, { code: 'invalid_type' }>): string {
  // A message that the schema defines says more than the type.
  if (!issue.message.startsWith('Invalid input')) return issue.message;
  return issue.message.endsWith('received undefined')
    ? 'is required'
    : `must be ${article(issue.expected)} ${issue.expected}`;
}

function article(noun: string): string {
  return /^[aeio]/.test(noun) ? 'an' : 'a';
}

function measure(origin: string, count: string): string {
  if (origin === 'string') return `have ${count} character(s)`;
  if (origin === 'array') return `have ${count} item(s)`;
  return `be ${count}`;
}

function fieldName(path: readonly PropertyKey[], root: string): string {
  return path.length === 0 ? root : path.map(String).join('.');
}
