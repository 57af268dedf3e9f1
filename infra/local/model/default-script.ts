/**
 * The stand-in's script where no other is given: it shows a session at work without an API key. It says that it is a
 * stand-in, writes and runs one small program for a first message, and obeys the commands below.
 */
import { leadTeam } from './team-script.ts';
import { readExchange, type Exchange, type ToolOutcome } from './exchange.ts';
import type { ModelRequest, Reply, ReplyTool } from './script.ts';

/** What `primes.sh` prints: the demo judges a run by it, whichever model wrote the program. */
export const PRIME_SUM = '24133';

const PRIMES_SH = `#!/usr/bin/env bash
# Adds up the first 100 prime numbers and keeps the answer in result.txt.
sum=0 found=0 n=2
while (( found < 100 )); do
  prime=1
  for (( d = 2; d * d <= n; d++ )); do
    if (( n % d == 0 )); then prime=0; break; fi
  done
  if (( prime )); then (( sum += n, found += 1 )); fi
  (( n += 1 ))
done
echo "The sum of the first $found primes is $sum." | tee result.txt
`;

/** One reply per model request; the end quotes what the last tool said. */
const PROGRAM: readonly Reply[] = [
  {
    thinking: 'A first message: show the whole path with a small program that can be checked.',
    text: words(
      'I am a scripted stand-in, not a model, so I do the one thing I know: ' +
        'a small program that adds up the first 100 primes. First I write it.',
    ),
    tools: [{ name: 'write', input: { file_path: 'primes.sh', content: PRIMES_SH } }],
  },
  { text: words('Now I run it in the sandbox.'), tools: [{ name: 'bash', input: { command: 'bash primes.sh' } }] },
  {
    text: words('It keeps its result in a file; I read that.'),
    tools: [{ name: 'read', input: { file_path: 'result.txt' } }],
  },
];

/** It cannot judge an outcome, and says so. */
const NO_VERDICT: ReplyTool = {
  name: 'verdict',
  input: { result: 'failed', explanation: 'I am a scripted stand-in, not a model, and cannot judge this.' },
};

interface Command {
  readonly tool: string;
  readonly usage: string;
  readonly pattern: RegExp;
  /** Builds the tool's input from what the pattern captured. */
  readonly input: (first: string, second: string, third: string) => Readonly<Record<string, unknown>>;
}

/** Any tool that is offered, by its name and an input in JSON: those of MCP servers, and custom ones. */
const CALL = { usage: 'call: TOOL {"json": "input"}', pattern: /^call: *([^\s{]+) *(\{.*\})?$/i };

const COMMANDS: readonly Command[] = [
  { tool: 'bash', usage: 'run: COMMAND', pattern: /^run: *(\S.*)$/i, input: (command) => ({ command }) },
  { tool: 'read', usage: 'read: FILE', pattern: /^read: *(\S+)$/i, input: (file_path) => ({ file_path }) },
  {
    tool: 'write',
    usage: 'write: FILE TEXT',
    pattern: /^write: *(\S+) (.+)$/i,
    input: (file_path, text) => ({ file_path, content: `${text}\n` }),
  },
  {
    tool: 'edit',
    usage: 'edit: FILE OLD => NEW',
    pattern: /^edit: *(\S+) (.+?) => ([^\n]*)/i,
    input: (file_path, old_string, new_string) => ({ file_path, old_string, new_string }),
  },
  { tool: 'glob', usage: 'glob: PATTERN', pattern: /^glob: *(\S+)$/i, input: (pattern) => ({ pattern }) },
  { tool: 'grep', usage: 'grep: PATTERN', pattern: /^grep: *(\S.*)$/i, input: (pattern) => ({ pattern }) },
];

const HELP =
  'I am a scripted stand-in for a model and do not understand prose. Each line of a message may be a command; ' +
  `several lines run in parallel: ${[...COMMANDS, CALL].map(({ usage }) => usage).join(' · ')}.`;

/** The time between two words is long enough that a client sees a preview before the whole answer. */
const WORD_MS = 15;

export function defaultScript(request: ModelRequest): Reply {
  return { ...replyTo(request), chunkDelayMs: WORD_MS };
}

function replyTo(request: ModelRequest): Reply {
  const offered = new Set(request.tools?.map((tool) => ('name' in tool ? tool.name : '')));
  if (offered.has('verdict')) return { tools: [NO_VERDICT] };
  const exchange = readExchange(request.messages);
  const calls = commandsIn(exchange.text);
  if (calls.length > 0) return obey(calls, exchange, offered);
  const led = leadTeam(request);
  if (led !== null) return led;
  const programTools = PROGRAM.flatMap(({ tools }) => tools ?? []);
  return exchange.isFirst && missingTools(programTools, offered).length === 0 ? playProgram(exchange) : say(HELP);
}

function playProgram({ outcomes }: Exchange): Reply {
  const failed = outcomes.find((outcome) => outcome.isError);
  if (failed !== undefined) return say(`That failed, so I stop here. ${quote(failed)}`);
  const results = outcomes.slice(-1).map(quote).join('');
  return PROGRAM[outcomes.length] ?? say(`I wrote primes.sh, ran it, and read its result back. ${results}\n\n${HELP}`);
}

function obey(calls: readonly ReplyTool[], { outcomes }: Exchange, offered: ReadonlySet<string>): Reply {
  const missing = missingTools(calls, offered);
  if (missing.length > 0) return say(`This agent does not offer me the tool ${missing.join(', ')}.`);
  return outcomes.length === 0 ? { tools: calls } : say(outcomes.map(quote).join('\n\n'));
}

function missingTools(calls: readonly ReplyTool[], offered: ReadonlySet<string>): readonly string[] {
  return calls.map(({ name }) => name).filter((name) => !offered.has(name));
}

function commandsIn(text: string): readonly ReplyTool[] {
  return text.split('\n').flatMap((line) => [
    ...COMMANDS.flatMap(({ tool, pattern, input }) => {
      const found = pattern.exec(line.trim());
      return found ? [{ name: tool, input: input(found[1] ?? '', found[2] ?? '', found[3] ?? '') }] : [];
    }),
    ...callIn(line.trim()),
  ]);
}

function callIn(line: string): readonly ReplyTool[] {
  const [, name, input = '{}'] = CALL.pattern.exec(line) ?? [];
  if (name === undefined) return [];
  try {
    // The pattern has seen the braces, so what parses is an object.
    return [{ name, input: JSON.parse(input) as Readonly<Record<string, unknown>> }];
  } catch {
    return [];
  }
}

const MAX_QUOTED_CHARS = 2_000;

function quote({ output, isError }: ToolOutcome): string {
  const shown = output.length > MAX_QUOTED_CHARS ? `${output.slice(0, MAX_QUOTED_CHARS)} …` : output;
  return `${isError ? 'The tool failed' : 'The tool said'}:\n${shown.trim() || '(nothing)'}`;
}

function say(text: string): Reply {
  return { text: words(text) };
}

/** Word by word, so that a client can watch the text grow. */
function words(text: string): readonly string[] {
  return text.match(/\S+\s*/g) ?? [text];
}
