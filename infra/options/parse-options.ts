import type * as z from 'zod';
import { Options } from './options.ts';

/** Options that cannot be deployed: one line for each, with its name and the rule and never the value. */
export class OptionsError extends Error {}

/** @throws OptionsError */
export function parseOptions(given: unknown): Options {
  const parsed = Options.safeParse(given, { error: ruleOf });
  if (parsed.success) return parsed.data;
  throw new OptionsError(parsed.error.issues.flatMap(linesOf).join('\n'));
}

function linesOf(issue: z.core.$ZodIssue): readonly string[] {
  const names = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
  return names.map((path) => `Option ${path.join('.')} ${issue.message}`);
}

const KINDS: Readonly<Record<string, string>> = {
  ...{ string: 'a text', number: 'a number', int: 'an integer', boolean: 'true or false' },
  ...{ array: 'a list', object: 'an object' },
};

/** Where the schema has no words of its own. */
function ruleOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'must be set' : `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${list(issue.values)}`;
    case 'too_small':
      return `must be at least ${issue.minimum}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'must be a URL' : undefined;
    case 'invalid_union':
      // The schemas have one kind of union, told apart by a field.
      return `must be ${list(issue['options'])}`;
    default:
      return undefined;
  }
}

function list(values: unknown): string {
  return Array.isArray(values) ? values.join(' or ') : 'one of several';
}
