/**
 * The repositories of a session's contents. They are cloned before the first call that could see them: a call waits while a
 * clone goes on. Where one failed, the session goes on without it, and it is tried again when the contents change, or with a
 * call after a pause that grows with each failure.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContentEntry } from '../functions/contract/hands.ts';
import type { RepositoryFailure } from '../functions/contract/repositories.ts';
import { clone, type Cloned } from './clone.ts';
import { gitWith } from './git.ts';
import type { Log } from './log.ts';
import { fileOf, type Places } from './places.ts';
import { skillNotes } from './repository-skills.ts';

export interface Repositories {
  /**
   * Begins the clones that are due and waits for them, for some seconds at most. False when no clone goes on.
   * `version` names the contents: another one has each failed clone tried again.
   */
  areAwaited(version: string | undefined): Promise<boolean>;
  /** What was not told yet: failures, clones that took long, and skills. */
  takeNews(): RepositoryNews;
  close(): void;
}

export interface RepositoryNews {
  /** For the model. */
  readonly notes: readonly string[];
  readonly failures: readonly RepositoryFailure[];
}

interface RepositoriesOptions {
  readonly places: Places;
  readonly entries: () => readonly ContentEntry[];
  /** Of commands: the way out. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly log: Log;
  readonly times?: Partial<RepositoryTimes>;
}

interface RepositoryTimes {
  /** Well below the time after which the caller takes a silent sandbox for dead. */
  readonly waitMs: number;
  readonly cloneMs: number;
  /** After the first failure; the pause doubles with each further one. */
  readonly pauseMs: number;
  /** A clone that takes longer is told. */
  readonly longMs: number;
}

const TIMES: RepositoryTimes = { waitMs: 5000, cloneMs: 600_000, pauseMs: 30_000, longMs: 20_000 };
const MOST_DOUBLINGS = 6;
/** What a response has room for. */
const MAX_NOTE_CHARS = 2000;
const MAX_MESSAGE_CHARS = 1000;

type Progress =
  | { readonly status: 'cloning'; readonly ended: Promise<void> }
  | { readonly status: 'cloned' }
  | {
      readonly status: 'failed';
      readonly version: string | undefined;
      readonly failures: number;
      readonly retryAt: number;
    };

export function repositoriesIn({ places, entries, environment, log, times }: RepositoriesOptions): Repositories {
  const { waitMs, cloneMs, pauseMs, longMs } = { ...TIMES, ...times };
  const closing = new AbortController();
  /** By path. */
  const progress = new Map<string, Progress>();
  let notes: string[] = [];
  let failures: RepositoryFailure[] = [];

  function isDue({ path }: ContentEntry, version: string | undefined): boolean {
    const now = progress.get(path);
    if (now === undefined) return true;
    return now.status === 'failed' && (now.version !== version || Date.now() >= now.retryAt);
  }

  function begin(entry: ContentEntry, version: string | undefined): void {
    const before = progress.get(entry.path);
    const earlier = before?.status === 'failed' && before.version === version ? before.failures : 0;
    const ended = cloneOf(entry).then(({ status }) => {
      const count = earlier + 1;
      const retryAt = Date.now() + pauseMs * 2 ** Math.min(earlier, MOST_DOUBLINGS);
      progress.set(
        entry.path,
        status === 'cloned' ? { status } : { status: 'failed', version, failures: count, retryAt },
      );
    });
    progress.set(entry.path, { status: 'cloning', ended });
  }

  /** It never fails. */
  async function cloneOf({ path, repository }: ContentEntry): Promise<Cloned> {
    const { url = '', checkout = null } = repository ?? {};
    const startedAt = performance.now();
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(cloneMs)]);
    const folder = fileOf(places, path);
    const cloned = await clone(gitWith(environment(), signal), { url, checkout, folder });
    const durationMs = Math.round(performance.now() - startedAt);
    log('INFO', 'clone', { outcome: cloned.status === 'cloned' ? cloned.status : cloned.type, durationMs });
    if (cloned.status === 'failed') {
      const message = `${url} could not be cloned: ${cloned.message}`.slice(0, MAX_MESSAGE_CHARS).toWellFormed();
      failures.push({ type: cloned.type, url, message });
      notes.push(`(The repository ${url} is not in ${path}: ${cloned.message}. It is tried again later.)`);
      return cloned;
    }
    if (durationMs > longMs)
      notes.push(`(It took ${Math.round(durationMs / 1000)} seconds to clone ${url} into ${path}.)`);
    notes.push(...(await skillNotes(folder, path)));
    return cloned;
  }

  const underWay = () => [...progress.values()].flatMap((one) => (one.status === 'cloning' ? [one.ended] : []));

  return {
    async areAwaited(version) {
      for (const entry of entries()) if (isDue(entry, version)) begin(entry, version);
      const clones = underWay();
      if (clones.length === 0) return false;
      const over = new AbortController();
      const waited = sleep(waitMs, undefined, { signal: over.signal }).catch(() => undefined);
      await Promise.race([Promise.all(clones), waited]);
      over.abort();
      return underWay().length > 0;
    },
    takeNews() {
      const news = { notes: notes.map((note) => note.slice(0, MAX_NOTE_CHARS).toWellFormed()), failures };
      [notes, failures] = [[], []];
      return news;
    },
    close: () => closing.abort(),
  };
}
