/**
 * Limits of a policy text that hold before Cedar sees it. Cedar walks an expression by recursion, and a text that is nested too
 * deep ends its WebAssembly module for every workspace of one instance. Measured: the first text that does so has brackets
 * nested 112 deep, or an expression 364 operators deep.
 */
import type { PolicyProblem } from '#core/ports/policy.ts';

const MAX_BRACKETS = 24;
const MAX_DEPTH = 80;
/** Matching takes the pattern's length times the argument's: about 2 s for this one and the longest argument. */
const MAX_PATTERN_CHARS = 4000;

/** Cedar's tokens: a comment, a text, and what counts. A text without an end is read as if it were none, so that it hides nothing. */
const TOKEN = /\s+|\/\/[^\n\r]*|"[^"\\]*(?:\\[^\n][^"\\]*)*"|[A-Za-z_]\w*|\d+|\|\||&&|[=!<>]=|[^\s\w]/g;

/** The first limit that a text exceeds; null when it keeps all. */
export function limitBroken(text: string): PolicyProblem | null {
  const open: Frame[] = [newFrame()];
  let patternChars = 0;
  let before = '';
  for (const { token, index } of tokensOf(text)) {
    const frame = open.at(-1) ?? newFrame();
    if (CLOSING.has(token)) {
      if (open.length > 1) open.pop();
      const outer = open.at(-1) ?? frame;
      outer.inner = Math.max(outer.inner, 1 + depthOf(frame));
    } else {
      // An index and a call are operators of what is before them.
      if (before !== '.') count(frame, token, open.length === 1);
      if (OPENING.has(token)) open.push(newFrame());
    }
    if (before === 'like') patternChars += token.length;
    before = token;
    const broken = sentence({ brackets: open.length - 1, depth: depthOf(open.at(-1) ?? frame), patternChars });
    if (broken !== null) return { at: placeAt(text, index), policy: null, message: broken };
  }
  return null;
}

function* tokensOf(text: string): Generator<{ readonly token: string; readonly index: number }> {
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '"') return yield* rawTokens(text, index);
    if (!/^(?:\s|\/\/)/.test(token)) yield { token, index };
  }
}

/** The rest of a text with a quotation mark that nothing closes: all of it counts. */
function* rawTokens(text: string, from: number) {
  for (const { 0: token, index } of text.slice(from).matchAll(/\w+|\|\||&&|[^\s\w]/g))
    yield { token, index: from + index };
}

interface Used {
  readonly brackets: number;
  readonly depth: number;
  readonly patternChars: number;
}

function sentence({ brackets, depth, patternChars }: Used): string | null {
  if (brackets > MAX_BRACKETS) return `brackets must be nested at most ${MAX_BRACKETS} deep`;
  if (depth > MAX_DEPTH) {
    const instead = 'write many values as a set, as in [1, 2].contains(x), or many conditions as several policies';
    return `an expression must be at most ${MAX_DEPTH} operators deep: ${instead}`;
  }
  if (patternChars <= MAX_PATTERN_CHARS) return null;
  return `the patterns of all "like" must have at most ${MAX_PATTERN_CHARS} characters together`;
}

const OPENING: ReadonlySet<string> = new Set(['(', '[', '{']);
const CLOSING: ReadonlySet<string> = new Set([')', ']', '}']);
const OPERATORS: ReadonlySet<string> = new Set([
  ...['==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '!', '.', '[', 'in', 'has', 'like', 'is'],
]);

/**
 * What is open at one level of brackets: how many operators of each rank come one after the other, and the greatest depth
 * of what they join. `a || b || c` is as deep as it has operators, because Cedar reads it as `(a || b) || c`.
 */
interface Frame {
  ifs: number;
  ors: number;
  ands: number;
  others: number;
  /** The greatest depth of a closed bracket within the operand that is being read. */
  inner: number;
  /** The greatest depth of the operands before, which a further `&&`, `||`, `else` or comma follows. */
  conjunct: number;
  disjunct: number;
  branch: number;
  part: number;
}

function newFrame(): Frame {
  return { ifs: 0, ors: 0, ands: 0, others: 0, inner: 0, conjunct: 0, disjunct: 0, branch: 0, part: 0 };
}

function count(frame: Frame, token: string, isOutermost: boolean): void {
  if (token === ',' || token === ';') {
    Object.assign(frame, { ...newFrame(), part: token === ';' ? 0 : depthOf(frame) });
  } else if (token === 'then' || token === 'else') {
    Object.assign(frame, { branch: branchOf(frame), ors: 0, disjunct: 0, ands: 0, conjunct: 0, others: 0, inner: 0 });
  } else if (token === '||') {
    Object.assign(frame, {
      ors: frame.ors + 1,
      disjunct: disjunctOf(frame),
      ands: 0,
      conjunct: 0,
      others: 0,
      inner: 0,
    });
  } else if (token === '&&' || (isOutermost && (token === 'when' || token === 'unless'))) {
    // Cedar joins the conditions of a policy by `&&`.
    Object.assign(frame, { ands: frame.ands + 1, conjunct: conjunctOf(frame), others: 0, inner: 0 });
  } else if (token === 'if') {
    frame.ifs += 1;
  } else if (OPERATORS.has(token)) {
    frame.others += 1;
  }
}

const conjunctOf = ({ conjunct, others, inner }: Frame) => Math.max(conjunct, others + inner);
const disjunctOf = (frame: Frame) => Math.max(frame.disjunct, frame.ands + conjunctOf(frame));
const branchOf = (frame: Frame) => Math.max(frame.branch, frame.ors + disjunctOf(frame));
const depthOf = (frame: Frame) => Math.max(frame.part, frame.ifs + branchOf(frame));

function placeAt(text: string, index: number): { readonly line: number; readonly column: number } {
  const lines = text.slice(0, index).split('\n');
  return { line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1 };
}
