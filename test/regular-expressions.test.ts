/**
 * Agents and strangers write much of what this code reads, so no regular expression of it may take more than linear
 * time. Each is measured on texts that repeat what it looks for and then do not end as it expects.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseAst } from 'vitest/node';

const ROOT = new URL('..', import.meta.url).pathname;
/** So many repetitions cost a quadratic expression tens of milliseconds, and a linear one a hundredth of that. */
const TIMES = 12_000;
const MAX_MS = 10;

/** Each regular expression of the product, with a file that holds it. */
function expressions(): ReadonlyMap<string, string> {
  const folders = ['functions', 'infra', 'sandbox-task', 'egress-proxy'];
  const listed = execFileSync('git', ['ls-files', ...folders], { cwd: ROOT, encoding: 'utf8' }).split('\n');
  const found = new Map<string, string>();
  const visit = (node: unknown, file: string): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('regex' in node && node.regex !== null) {
      const { pattern, flags } = node.regex as { readonly pattern: string; readonly flags: string };
      found.set(`/${pattern}/${flags}`, file);
    }
    for (const part of Object.values(node)) visit(part, file);
  };
  for (const file of listed.filter((name) => name.endsWith('.ts'))) {
    visit(parseAst(readFileSync(`${ROOT}${file}`, 'utf8'), { lang: 'ts' }), file);
  }
  return found;
}

/** A text that it takes long to match; undefined when none was found. */
function slowText(expression: string): string | undefined {
  const end = expression.lastIndexOf('/');
  const regex = new RegExp(expression.slice(1, end), expression.slice(end + 1).replace(/[gy]/g, ''));
  return attacks(regex.source).find((text) => {
    const attempts = [1, 2, 3, 4];
    return attempts.every(() => timeOf(() => regex.test(text)) > MAX_MS);
  });
}

/** The fixed beginning of the expression, a repetition of what may come after it, and something unexpected. */
function attacks(source: string): readonly string[] {
  const fixed = /^\^?((?:\\[^\w]|[\w\s"'<>/:;=@#&%!~`,-])*)/.exec(source)?.[1]?.replaceAll('\\', '') ?? '';
  const named = source.replaceAll(/\\[a-zA-Z]/g, '').replaceAll(/[\\^$*+?()[\]{}|]/g, ' ');
  const own = [...new Set([...named, ...source.replaceAll(/\\(.)/g, '$1').replaceAll(/\w/g, '')])].slice(0, 12);
  const pieces = new Set(['a', '0', ' ', '\n', '\t', ...own, fixed, `${fixed}a`, `${fixed} `]);
  for (const first of own) for (const second of own) pieces.add(`${first}${second}`);
  return [...pieces].flatMap((piece) => {
    if (piece === '') return [];
    const long = piece.repeat(TIMES);
    return [`${long}\u0000`, `${long}\n`, ...(fixed === '' ? [] : [`${fixed}${long}\u0000`, `${fixed}${long}\n`])];
  });
}

function timeOf(work: () => void): number {
  const before = performance.now();
  work();
  return performance.now() - before;
}

describe('a regular expression in more than linear time is found:', () => {
  it.each([
    ...['/\\n+$/', '/;.*$/', '/^run: *(.+)$/', '/^call: *(\\S+) *(\\{.*\\})?$/', '/(\\w+)\\s*=/'],
    ...['/c=[^/]+\\//', '/<meta[^>]+charset/', '/\\$\\{([^}]*)\\}/', '/\\n\\s+at (.+)/'],
  ])('%s', (expression) => {
    expect(slowText(expression)).toBeDefined();
  });
});

it('every regular expression takes linear time', () => {
  const all = expressions();
  expect(all.size).toBeGreaterThan(100);
  expect([...all].filter(([expression]) => slowText(expression) !== undefined)).toEqual([]);
});
