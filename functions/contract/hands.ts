/**
 * The wire between the `execute` function and the server inside a sandbox task. Both ends import this file and
 * nothing else of each other.
 *
 * `POST /execute` with `Authorization: Bearer <token>` and an `ExecuteRequest`; answers 200 and an `ExecuteResponse`.
 * A repeated `call` id never runs twice: it joins the running call, or replays the stored response. A call begins when
 * the calls in `after` have ended; after some seconds without that, `/execute` answers `calls_awaited`.
 * `POST /cancel` with the same token and a `CancelRequest` ends a running call: the call's `/execute` answers an error,
 * and `/cancel` answers 200 and a `CancelResponse`.
 * A call begins when the repositories of the manifest are cloned, or could not be; while a clone goes on, `/execute` answers
 * `repositories_awaited` after some seconds.
 * A call that was cancelled before it began never runs, and neither does a call that comes after a cancelled one.
 * `PUT /manifest` with the same token and a `Manifest` names all contents that the session's calls must find: packages,
 * files, memory, skills, and the long results of one thread. The sandbox removes what is in no part of the manifest, and
 * answers 200 and a `ManifestResponse` with the paths that it lacks. When another caller was just told what is lacking,
 * the answer waits until that caller sends it, so that nothing is sent twice.
 * `PUT /contents` with the same token sends some of them in one stream: of each, a `ParcelHeader` as one line of JSON and
 * then its bytes. Each entry is in place as a whole or not at all. It answers 200 and a `ContentsResponse`. A repeat
 * changes nothing, and a stream that breaks leaves what arrived as a whole.
 * An `/execute` that names another version than that of the last complete manifest, of the session or of its own thread,
 * is answered `contents_awaited`, and so is any call of a sandbox that lacks the packages it was started for.
 * An `/execute` with `wayOut` is answered `way_out_awaited` while a program waits for the egress proxy and no proxy is known
 * that can be reached. A call that has begun goes on meanwhile, and the repeated request joins it. One caller at a time is
 * answered so.
 * `GET /changes` answers 200 and a `ChangesResponse`: what the agent's programs wrote below `OUTPUTS_DIR` and the writable
 * memory mounts and the caller has not kept. `POST /changes/bytes` with a `ChangeRead` answers 200 and the bytes, or breaks
 * the connection when the file changes meanwhile. `POST /changes` with a `ChangesKept` says which of them are stored, and
 * which notes the model was told: both are told again until then. From a list with changes until then, or until its caller is
 * silent for some seconds, another caller's `GET /changes` waits. An `ExecuteResponse` counts them in `changed`. A sandbox that
 * is idle ends when nothing waits to be kept. These three requests are no use of it. `programsLive` tells that a program
 * of the agent goes on, so more may wait later.
 * `GET /health` answers 200 `{"status":"ready"}` (or `"stopping"`) without a token.
 */
import * as z from 'zod';
import { ArchiveHash, MAX_ARCHIVE_BYTES, PACKAGES_DIR } from './packages.ts';
import { Checkout, RepositoryFailure } from './repositories.ts';

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
  ...['env', 'SANDBOX_CHANGES_USER=yes', 'node', '--disable-sigusr1', '/opt/brainstem/server.mjs'],
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

/** The folders of the session's files, of what it makes for its user, of memory mounts and of skills. */
export const UPLOADS_DIR = '/mnt/session/uploads';
export const OUTPUTS_DIR = '/mnt/session/outputs';
export const MEMORY_DIR = '/mnt/memory';
export const SKILLS_DIR = `${WORKDIR}/skills`;

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

/** For the model, about contents that a call does not find. */
const ContentNotes = z.array(z.string().max(2000)).max(100);

/**
 * What the relay in a task is told. `caller` of a sandbox is `<session>/<hand>/<generation>`, and `packages/<archive>` of a
 * package build. Only the relay sees `token`.
 */
export const WayOut = z.strictObject({
  /** `host:port` of the egress proxy; null when none was needed until now. */
  proxy: z.string().max(300).nullable(),
  caller: z.string().min(1).max(256),
  token: z.string().min(1).max(256),
  /** Names and placeholders, for the environment of programs. */
  variables: z.record(z.string(), z.string()),
  /** Programs need the certificate of the proxy's authority when they begin. */
  opensTls: z.literal(true).optional(),
  /** Why there is no proxy, for programs: they are not held then. */
  reason: z.string().min(1).max(300).optional(),
});
export type WayOut = z.infer<typeof WayOut>;

export const ExecuteRequest = z
  .strictObject({
    /** The tool-use id: the idempotency key. */
    call: z.string().min(1).max(128),
    name: SandboxTool,
    input: z.record(z.string(), z.unknown()),
    /** Hard limit for this call; the server kills the command after it. */
    timeoutMs: z.int().min(1).max(840_000),
    /**
     * The thread that makes the call. It has a shell of its own, and its calls have no order with those of other threads.
     * Absent: a call of the service's own.
     */
    thread: z
      .strictObject({
        id: z.string().min(1).max(128),
        /** Version of what only this thread's calls must find; absent when there is nothing. */
        contents: z.string().min(1).max(300).optional(),
      })
      .optional(),
    /** Calls that have to end before this one begins. */
    after: z.array(z.string().min(1).max(128)).optional(),
    /** Version of the manifest whose contents this call must find; absent when the session has none. */
    contents: z.string().min(1).max(300).optional(),
    /** What the call's result must tell. The sandbox keeps those of the request that began the call. */
    notes: ContentNotes.optional(),
    /** Absent in a session whose programs reach nothing. */
    wayOut: WayOut.optional(),
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
    /** How many files wait for `GET /changes`; absent when none does. */
    changed: z.int().min(1).optional(),
    /** Programs that the agent started go on; absent when none does. */
    programsLive: z.literal(true).optional(),
    /** Those of the request that began the call, and the sandbox's own; absent without any. */
    notes: ContentNotes.optional(),
    /** Repositories that could not be cloned before the call; each failure is told with one call. Absent without any. */
    failedClones: z.array(RepositoryFailure).max(100).optional(),
  })
  .meta({ id: 'ExecuteResponse' });
export type ExecuteResponse = z.infer<typeof ExecuteResponse>;

export const CancelRequest = z.strictObject({ call: z.string().min(1).max(128) }).meta({ id: 'CancelRequest' });
export type CancelRequest = z.infer<typeof CancelRequest>;

export const CancelResponse = z.object({ stopped: z.boolean() }).meta({ id: 'CancelResponse' });
export type CancelResponse = z.infer<typeof CancelResponse>;

/** Limits of the contents of one sandbox, on the way in and on the way out. */
export const CONTENT_LIMITS = {
  entries: 20_000,
  pathBytes: 1024,
  fileBytes: 500 * 1024 * 1024,
  archiveBytes: MAX_ARCHIVE_BYTES,
  /** Files that are looked at in the folders that the agent writes to. */
  walkedFiles: 10_000,
  /** Files that one call may hand out. */
  changedFiles: 1000,
  changedBytes: 1024 * 1024 * 1024,
} as const;

/** Below these folders contents are put. `PACKAGES_DIR` holds the packages only, as one entry. */
const CONTENT_ROOTS = [UPLOADS_DIR, MEMORY_DIR, WORKDIR];

/** Why a sandbox puts nothing at this path; null when it does. */
export function contentPathFault(path: string): string | null {
  if (path === PACKAGES_DIR) return null;
  const root = CONTENT_ROOTS.find((folder) => path.startsWith(`${folder}/`));
  if (root === undefined) return `must be below ${CONTENT_ROOTS.join(', ')}`;
  if (utf8Bytes(path) > CONTENT_LIMITS.pathBytes) return `must have at most ${CONTENT_LIMITS.pathBytes} bytes`;
  const names = path.slice(root.length + 1).split('/');
  if (names.some((name) => name === '' || name === '.' || name === '..')) return 'must have no empty part, "." or ".."';
  if (names.some((name) => utf8Bytes(name) > 255)) return 'must have at most 255 bytes in each part';
  return /\p{Cc}/u.test(path) || !path.isWellFormed() ? 'must have no control characters and no broken text' : null;
}

const utf8Bytes = (text: string) => new TextEncoder().encode(text).length;

/** A path as the session sees it. */
const ContentPath = z.string().superRefine((path, context) => {
  const fault = contentPathFault(path);
  if (fault !== null) context.addIssue({ code: 'custom', message: fault });
});

/**
 * One thing that a sandbox must hold. An entry `read_only` is put back before the next call when a program changed or
 * removed it. An entry `read_write` is the agent's own after it was put, and what it does there is told by `GET /changes`.
 */
export const ContentEntry = z
  .strictObject({
    path: ContentPath,
    /** Changes whenever the bytes do. For a file of memory: the SHA-256 of its bytes, in lower-case hex. */
    version: z.string().min(1).max(200),
    /** Absent when its source learns it only when it reads the bytes. */
    bytes: z.int().min(0).optional(),
    access: z.enum(['read_only', 'read_write']),
    /**
     * `archive`: a `.tar.gz` that is unpacked into the folder `path`. `folder`: a folder, which has no bytes of its own.
     * `repository`: the sandbox clones it into the folder `path` by itself, and lacks no bytes of it.
     */
    form: z.enum(['file', 'archive', 'folder', 'repository']),
    /** Of a repository: an https URL without a secret, and what is checked out; null for the default branch. */
    repository: z.strictObject({ url: z.string().max(2000), checkout: Checkout.nullable() }).optional(),
  })
  .meta({ id: 'ContentEntry' });
export type ContentEntry = z.infer<typeof ContentEntry>;

const ManifestPart = z.strictObject({
  version: z.string().min(1).max(300),
  entries: z.array(ContentEntry).max(CONTENT_LIMITS.entries),
});

/** The session's part, and that of the thread whose call needs them. The parts of other threads stay as they are. */
export const Manifest = ManifestPart.extend({
  thread: ManifestPart.extend({ id: z.string().min(1).max(128) }).optional(),
}).meta({ id: 'Manifest' });
export type Manifest = z.infer<typeof Manifest>;

export const ManifestResponse = z.object({ lacking: z.array(z.string()) }).meta({ id: 'ManifestResponse' });
export type ManifestResponse = z.infer<typeof ManifestResponse>;

export const ParcelHeader = z.strictObject({ path: z.string(), version: z.string(), bytes: z.int().min(0) });
export type ParcelHeader = z.infer<typeof ParcelHeader>;

/**
 * `reason` is for the model. A refused entry is not there, and the manifest stays incomplete. `isSuperseded`: another
 * caller has put a manifest meanwhile in which it is not, or is another one.
 */
export const ContentsResponse = z
  .object({
    refused: z.array(
      z.object({ path: z.string(), reason: z.string().max(1000), isSuperseded: z.literal(true).optional() }),
    ),
  })
  .meta({ id: 'ContentsResponse' });
export type ContentsResponse = z.infer<typeof ContentsResponse>;

/** `base` is the version that was put or kept last at this path; null for a new file. `sha256` is null for a removed file. */
export const ContentChange = z.object({
  path: z.string().max(CONTENT_LIMITS.pathBytes + 64),
  bytes: z.int().min(0),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  base: z.string().max(200).nullable(),
});
export type ContentChange = z.infer<typeof ContentChange>;

/** For the model: what is not among the changes, and why. */
const ChangeNotes = z.array(z.string().max(1000)).max(20);

export const ChangesResponse = z.object({
  changes: z.array(ContentChange).max(CONTENT_LIMITS.changedFiles),
  notes: ChangeNotes,
  /** No call came for the idle time: the sandbox ends when these are kept, or after some minutes. */
  isLast: z.literal(true).optional(),
  programsLive: z.literal(true).optional(),
});
export type ChangesResponse = z.infer<typeof ChangesResponse>;

export const ChangeRead = ContentChange.pick({ path: true, sha256: true });
export type ChangeRead = z.infer<typeof ChangeRead>;
export const ChangesKept = z.object({
  kept: z.array(ChangeRead).max(CONTENT_LIMITS.changedFiles),
  notes: ChangeNotes,
});
export type ChangesKept = z.infer<typeof ChangesKept>;

/**
 * 400 `invalid_request`, 401 `unauthorized`, 404 `not_found`, 409 `call_mismatch` (same id, other tool or input) or
 * `file_changed`, 413 `request_too_large`, 425 `contents_awaited`, `calls_awaited`, `repositories_awaited` or `way_out_awaited`,
 * 500 `internal`, 503 `stopping`.
 */
export const ExecuteError = z
  .object({
    error: z.string(),
    message: z.string(),
    /** With `calls_awaited`: calls that have not arrived here. */
    calls: z.array(z.string()).optional(),
    /** With `way_out_awaited`: the proxy's address that was told and could not be reached. */
    unreachable: z.string().max(300).optional(),
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
  /** Where the folder is that the session sees as `/mnt`. */
  SANDBOX_MNT: z.string().default('/mnt'),
  /**
   * A JSON list that stands before each command that the server starts, where a server without capabilities keeps
   * commands away from itself in another way than by their user.
   */
  SANDBOX_AS_AGENT: z.string().optional(),
  /** The loopback address at which programs find their way out, where it is not the usual one: tasks share one network there. */
  SANDBOX_RELAY_HOST: z.string().optional(),
  /** Set where START_SERVER has made the server a user of its own, which starts programs as the agent. */
  SANDBOX_CHANGES_USER: z.literal('yes').optional(),
  /** `host:port`, or the path of a Unix socket where the task has no network of its own. */
  SANDBOX_LISTEN: z.string().default(`0.0.0.0:${SANDBOX_PORT}`),
});
export type SandboxVariables = z.infer<typeof SandboxVariables>;
