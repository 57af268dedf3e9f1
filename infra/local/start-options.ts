import { parseArgs } from 'node:util';
import { SANDBOX_KINDS, type SandboxKind } from './tasks/runner.ts';

export type StartOptions = ReturnType<typeof readStartOptions>;

export const USAGE = `Runs the synthesized stack on this machine.

  npm start -- [options]

  --port PORT      port to serve on (default 8787; 0 takes any free port)
  --data DIR       where everything that lasts is kept (default .brainstem)
  --sandbox KIND   bwrap, docker or process (default: the best that works here)
  --sandboxes N    how many sandboxes run at once (default: as many as half of the memory holds)
  --disk GB        how much a sandbox may store before it is stopped (default 20, the disk of a task on Fargate)
  --cdk-out DIR    use this synthesized template instead of synthesizing
  --json           print one JSON line when ready, everything else to stderr
  --help           print this

Environment: ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL choose the model (without a key a script answers);
AWS_ENDPOINT_URL_DYNAMODB uses another DynamoDB than the built-in one.
`;

/** @throws naming the option and what it may be */
export function readStartOptions(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      port: { type: 'string', default: '8787' },
      data: { type: 'string', default: '.brainstem' },
      sandbox: { type: 'string' },
      sandboxes: { type: 'string' },
      disk: { type: 'string' },
      'cdk-out': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { port, sandbox, sandboxes, disk, 'cdk-out': cdkOut = null, ...others } = values;
  return {
    ...others,
    cdkOut,
    port: readPort(port),
    sandbox: sandbox === undefined ? null : readSandbox(sandbox),
    maxTasks: sandboxes === undefined ? undefined : readCount('--sandboxes', sandboxes),
    maxDiskBytes: disk === undefined ? undefined : readCount('--disk', disk) * 1024 ** 3,
  };
}

function readCount(option: string, text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new Error(`${option} must be a number from 1 to 99999.`);
}

function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new Error('--port must be a number from 0 to 65535.');
}

export function readSandbox(text: string): SandboxKind {
  const kind = SANDBOX_KINDS.find((known) => known === text);
  if (kind === undefined) throw new Error(`--sandbox must be one of ${SANDBOX_KINDS.join(', ')}.`);
  return kind;
}
