/** Archives and their builds, in memory: a build ends after a few looks, with the outcome that the test chooses. */
import type { PackageFailure } from '#contract/packages.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { FoundArchive, PackageArchives, PackageBuilds } from '#core/ports/sandboxes.ts';

/** How a build ends: with its archive, with a failure that it stored, or without a report. */
export type Ending = 'archive' | { readonly manager: PackageFailure['manager']; readonly message: string } | 'silence';

export function warehouse(stamp: Pick<Stamp, 'now'>) {
  const objects = new Map<string, FoundArchive>();
  const looks = new Map<string, number>();
  const asked: string[] = [];
  let ending: Ending = 'archive';

  function end(task: string): void {
    const [, archive = '', attempt] = /^(\w+)-(\d+)$/.exec(task) ?? [];
    if (ending === 'archive') objects.set(archive, { status: 'built' });
    else if (ending !== 'silence') {
      const failure = { attempt: Number(attempt), ...ending };
      objects.set(archive, { status: 'failed', failure, at: stamp.now() });
    }
  }

  const archives: PackageArchives = {
    async find(archive) {
      asked.push(`find ${archive}`);
      return objects.get(archive) ?? { status: 'missing' };
    },
    async order(archive, { attempt }) {
      asked.push(`order ${archive}`);
      return `https://bucket/${archive}/${attempt}`;
    },
    async fail(archive, failure) {
      objects.set(archive, { status: 'failed', failure, at: stamp.now() });
    },
  };
  const builds: PackageBuilds = {
    async run(archive, attempt) {
      const task = `${archive}-${attempt}`;
      looks.set(task, looks.get(task) ?? 0);
      return { status: 'started', task };
    },
    async status(task) {
      const seen = (looks.get(task) ?? 0) + 1;
      looks.set(task, seen);
      if (seen === 3) end(task);
      return seen < 3 ? { status: 'starting' } : { status: 'stopped', reason: 'exit code 137' };
    },
  };
  return {
    archives,
    builds,
    endWith: (how: Ending) => void (ending = how),
    /** The builds that ran, by archive and attempt. */
    built: () => [...looks.keys()],
    /** The requests to the bucket. */
    asked,
    forget: () => objects.clear(),
  };
}
