/** Clones one repository into its folder: as a whole, or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Checkout, RepositoryErrorType } from '../functions/contract/repositories.ts';
import type { Git, Ran } from './git.ts';

interface CloneOrder {
  readonly url: string;
  readonly checkout: Checkout | null;
  /** Where the folder is to be, on this machine. */
  readonly folder: string;
}

/** `message` is a part of a sentence. */
export type Cloned =
  | { readonly status: 'cloned' }
  | { readonly status: 'failed'; readonly type: RepositoryErrorType; readonly message: string };

/** Enough for what is asked of a history most often. `git fetch --unshallow` brings the rest. */
const NEWEST_COMMITS = 50;

const AUTHOR = [
  ['user.name', 'Agent'],
  ['user.email', 'agent@localhost'],
] as const;

/** What is cloned has a name of its own until it is complete. A clone that breaks off is tried a second time as a whole. */
export async function clone(git: Git, order: CloneOrder): Promise<Cloned> {
  const first = await cloneOnce(git, order);
  const isTransient = first.status === 'failed' && first.type === 'repository_clone_error';
  return isTransient ? cloneOnce(git, order) : first;
}

async function cloneOnce(git: Git, { url, checkout, folder }: CloneOrder): Promise<Cloned> {
  const part = join(dirname(folder), `.${randomUUID()}.clone`);
  try {
    await mkdir(part, { recursive: true });
    for (const args of commandsOf(part, url, checkout)) {
      const fault = faultOf(await git(args), checkout);
      if (fault !== null) return fault;
    }
    // An empty folder gives way. Any other is the agent's.
    await rename(part, folder);
    return { status: 'cloned' };
  } catch (error) {
    return cloneError(systemReason(error));
  } finally {
    await rm(part, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** An empty template holds no hooks. The agent fetches any branch later, not only the one that is checked out. */
function commandsOf(part: string, url: string, checkout: Checkout | null): readonly (readonly string[])[] {
  const inPart = (...args: readonly string[]) => ['-C', part, ...args];
  const settings = [['remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'] as const, ...AUTHOR];
  const configured = settings.map(([name, value]) => inPart('config', name, value));
  const depth = `--depth=${NEWEST_COMMITS}`;
  if (checkout?.type === 'commit') {
    return [
      ['init', '--quiet', '--template=', part],
      inPart('remote', 'add', 'origin', url),
      inPart('fetch', '--quiet', '--no-tags', depth, 'origin', checkout.sha),
      inPart('checkout', '--quiet', '--detach', checkout.sha),
      ...configured,
    ];
  }
  const branch = checkout === null ? [] : [`--branch=${checkout.name}`];
  return [['clone', '--quiet', '--template=', depth, ...branch, '--', url, part], ...configured];
}

function faultOf(ran: Ran, checkout: Checkout | null): Cloned | null {
  switch (ran.status) {
    case 'done':
      return null;
    case 'absent':
      return cloneError('the image of this sandbox has no program git');
    case 'stopped':
      return cloneError('it was not finished in time');
    case 'failed':
      return failureOf(ran.said, checkout);
    default:
      return ran satisfies never;
  }
}

/** What git says, in its own words, of answers of the host. */
const FAILURES: readonly (readonly [said: RegExp, type: RepositoryErrorType, message: string])[] = [
  [
    /from proxy after CONNECT|CONNECT tunnel failed/,
    'repository_clone_error',
    'the network rules refused the connection',
  ],
  [
    /Authentication failed|could not read (?:Username|Password)|returned error: 401/,
    'repository_authentication_error',
    'its host asks for a token, or does not accept the one that was given',
  ],
  [/returned error: 403/, 'repository_forbidden_error', 'its host refuses the access'],
  [
    /returned error: (?:404|410)|repository '.*' not found/,
    'repository_not_found_error',
    'its host knows no such repository',
  ],
];

const NO_SUCH_REF =
  /not found in upstream|couldn't find remote ref|not our ref|unadvertised object|is not a tree|unable to read tree|did not match any file|remote error: want /i;

function failureOf(said: string, checkout: Checkout | null): Cloned {
  const known = FAILURES.find(([pattern]) => pattern.test(said));
  if (known !== undefined) return { status: 'failed', type: known[1], message: known[2] };
  if (checkout !== null && NO_SUCH_REF.test(said)) {
    const asked = checkout.type === 'branch' ? `branch ${checkout.name}` : `commit ${checkout.sha}`;
    return { status: 'failed', type: 'repository_checkout_error', message: `it has no ${asked}` };
  }
  return cloneError(`git failed: ${reasonIn(said)}`);
}

/** The first line in which git itself says why. Lines of the host begin with `remote:`. */
function reasonIn(said: string): string {
  const lines = said.split('\n').map((line) => line.trim());
  const own = lines.find((line) => /^(?:fatal|error): /.test(line)) ?? lines.at(-1) ?? '';
  return own.slice(0, 300).toWellFormed();
}

function cloneError(message: string): Cloned {
  return { status: 'failed', type: 'repository_clone_error', message };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  ENOTEMPTY: 'files are in its folder',
  EEXIST: 'files are in its folder',
  ENOTDIR: 'a file is where its folder should be',
};

function systemReason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  return REASONS[code] ?? `the system refused it (${code})`;
}
