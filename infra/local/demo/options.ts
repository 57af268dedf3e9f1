import { parseArgs } from 'node:util';
import { SANDBOX_KINDS, type SandboxKind } from '../tasks/runner.ts';

export interface DemoOptions {
  readonly help: boolean;
  readonly crash: boolean;
  readonly json: boolean;
  /** Null takes the best that works on this machine. */
  readonly sandbox: SandboxKind | null;
  readonly model: string;
}

export const USAGE = `Runs the service once, with one session whose agent writes a program, runs it and reads the result.

  npm run demo -- [options]

  --crash          kill the harness function in the middle of a turn
  --json           print one JSON line in the end, everything else to stderr
  --sandbox KIND   bwrap, docker or process (default: the best that works here)
  --model ID       the agent's model (default claude-opus-5-5)
  --help           print this

Environment: ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL choose the model (without a key a script answers).
`;

/** @throws naming the option and what it may be */
export function readDemoOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', default: false },
      crash: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      sandbox: { type: 'string' },
      model: { type: 'string', default: 'claude-opus-5-5' },
    },
  });
  const sandbox = values.sandbox === undefined ? null : SANDBOX_KINDS.find((kind) => kind === values.sandbox);
  if (sandbox === undefined) throw new Error(`--sandbox must be one of ${SANDBOX_KINDS.join(', ')}.`);
  const { help, crash, json, model } = values;
  return { help, crash, json, model, sandbox };
}
