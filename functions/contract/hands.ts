/**
 * The wire between the `execute` function and the server inside a sandbox task. Both ends import this file and
 * nothing else of each other.
 *
 * `POST /execute` with `Authorization: Bearer <token>` and an `ExecuteRequest`; answers 200 and an `ExecuteResponse`.
 * A repeated `call` id never runs twice: it joins the running call, or replays the stored response. A call begins when
 * the calls in `after` have ended; after some seconds without that, `/execute` answers `calls_awaited`.
 * `POST /cancel` with the same token and a `CancelRequest` ends a running call: the call's `/execute` answers an error,
 * and `/cancel` answers 200 and a `CancelResponse`.
 * A call that was cancelled before it began never runs, and neither does a call that comes after a cancelled one.
 * `PUT /packages/<hash>` with the same token and an archive (`packages.ts`) gives a sandbox the packages it was started
 * for; until then `/execute` answers `packages_awaited`. A repeat changes nothing.
 * `PUT /results/<call>` with the same token and a text gives a sandbox the long result of a tool that ran elsewhere, as
 * a file (`resultFile`); it answers 200 once the file is there as a whole. A repeat writes it anew.
 * `GET /health` answers 200 `{"status":"ready"}` (or `"stopping"`) without a token.
 */
import * as z from 'zod';
import { ArchiveHash, PACKAGES_DIR } from './packages.ts';

/** Port on which the sandbox server listens, inside the task. */
export const SANDBOX_PORT = 8080;

/** Longest result text of a response; the sandbox keeps the rest in a file which the agent can read. */
export const MAX_OUTPUT_CHARS = 100_000;

/** The user of commands, of tools and of every file that they make. */
export const AGENT_USER = 1000;

/** The user of the sandbox's server, which no program of the agent can signal, trace or read. */
export const SERVER_USER = 1001;

/**
 * Starts the server. The container begins as root, whose last act this is: the server is an ordinary user with the two
 * capabilities that it needs to start programs as the agent.
 */
export const START_SERVER: readonly string[] = [
  ...['setpriv', `--reuid=${SERVER_USER}`, `--regid=${SERVER_USER}`, '--clear-groups'],
  ...['--bounding-set=-all,+setuid,+setgid', '--inh-caps=-all,+setuid,+setgid', '--ambient-caps=+setuid,+setgid', '--'],
  ...['node', '--disable-sigusr1', '/opt/brainstem/server.mjs'],
];

/** Stands before a command that the server starts: the program runs as the agent, and neither it nor its children get more. */
export const AS_AGENT: readonly string[] = [
  ...['/usr/bin/setpriv', `--reuid=${AGENT_USER}`, `--regid=${AGENT_USER}`, '--clear-groups'],
  ...['--inh-caps=-all', '--ambient-caps=-all', '--no-new-privs', '--'],
];

/** The working directory as the session sees it. */
export const WORKDIR = '/workspace';

/** The folder of results that are too long to be shown. The agent's `read` and `grep` reach it: it is in the workdir. */
export const OUTPUTS_FOLDER = '.brainstem/outputs';

/** The file of a call's long result. */
export function resultFile(call: string): string {
  return `${WORKDIR}/${OUTPUTS_FOLDER}/${call}.txt`;
}

/** A sandbox is given this many of the newest long results: three times what a model's window has room for. */
export const MAX_LARGE_RESULTS = 100;

/** Built-in tools that run inside a sandbox. */
export const SANDBOX_TOOLS = ['bash', 'read', 'write', 'edit', 'glob', 'grep'] as const;

export const SandboxTool = z.enum(SANDBOX_TOOLS).meta({ id: 'SandboxTool' });
export type SandboxTool = z.infer<typeof SandboxTool>;

/** Tools that change nothing. Their calls need no order among themselves. */
export const READING_TOOLS: ReadonlySet<string> = new Set<SandboxTool>(['read', 'glob', 'grep']);

export const ExecuteRequest = z
  .strictObject({
    /** The tool-use id: the idempotency key. */
    call: z.string().min(1).max(128),
    name: SandboxTool,
    input: z.record(z.string(), z.unknown()),
    /** Hard limit for this call; the server kills the command after it. */
    timeoutMs: z.int().min(1).max(840_000),
    /** Calls that have to end before this one begins. */
    after: z.array(z.string().min(1).max(128)).optional(),
    /** Calls made elsewhere that have a long result. A sandbox without the files answers `results_awaited`. */
    results: z.array(z.string().min(1).max(128)).max(MAX_LARGE_RESULTS).optional(),
  })
  .meta({ id: 'ExecuteRequest' });
export type ExecuteRequest = z.infer<typeof ExecuteRequest>;

/** A failed tool is an ordinary response: the model decides what to do next. */
export const ExecuteResponse = z
  .object({
    output: z.string(),
    isError: z.boolean(),
    /** `ran`: this request started it. `joined`: it was running already. `replayed`: it had finished before. */
    served: z.enum(['ran', 'joined', 'replayed']),
    durationMs: z.number(),
  })
  .meta({ id: 'ExecuteResponse' });
export type ExecuteResponse = z.infer<typeof ExecuteResponse>;

export const CancelRequest = z.strictObject({ call: z.string().min(1).max(128) }).meta({ id: 'CancelRequest' });
export type CancelRequest = z.infer<typeof CancelRequest>;

export const CancelResponse = z.object({ stopped: z.boolean() }).meta({ id: 'CancelResponse' });
export type CancelResponse = z.infer<typeof CancelResponse>;

/**
 * 400 `invalid_request`, 401 `unauthorized`, 404 `not_found`, 409 `call_mismatch` (same id, other tool or input),
 * 413 `request_too_large`, 422 `archive_invalid`, 425 `packages_awaited`, `results_awaited` or `calls_awaited`,
 * 500 `internal`, 503 `stopping`, 507 `result_not_kept`.
 */
export const ExecuteError = z
  .object({
    error: z.string(),
    message: z.string(),
    /** With `results_awaited`: calls without a result here. With `calls_awaited`: calls that have not arrived here. */
    calls: z.array(z.string()).optional(),
  })
  .meta({ id: 'ExecuteError' });
export type ExecuteError = z.infer<typeof ExecuteError>;

/** Environment variables of the sandbox container. Nothing in it is secret: the token itself never enters the task. */
export const SandboxVariables = z.object({
  /** Lower-case hex SHA-256 of the bearer token callers must present. */
  SANDBOX_TOKEN_SHA256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Working directory of the tools. */
  SANDBOX_WORKDIR: z.string().default(WORKDIR),
  /** The task stops by itself after this long without a call. */
  SANDBOX_IDLE_SECONDS: z.coerce.number().int().min(1).default(300),
  /** The archive of packages without which the sandbox takes no call; absent when the environment has no packages. */
  SANDBOX_PACKAGES: ArchiveHash.optional(),
  /** Where the packages are. */
  PACKAGES_DIR: z.string().default(PACKAGES_DIR),
  /**
   * A JSON list that stands before each command that the server starts, where a server without capabilities keeps
   * commands away from itself in another way than by their user.
   */
  SANDBOX_AS_AGENT: z.string().optional(),
  /** `host:port`, or the path of a Unix socket where the task has no network of its own. */
  SANDBOX_LISTEN: z.string().default(`0.0.0.0:${SANDBOX_PORT}`),
});
export type SandboxVariables = z.infer<typeof SandboxVariables>;
