import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PackageManager, PackageSources } from '../functions/contract/packages.ts';

/** Runs a program to its end. @throws BuildFailure when it fails, takes too long or does not exist */
export type RunProgram = (
  program: string,
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
) => Promise<void>;

export interface Installation {
  readonly names: readonly string[];
  readonly sources: PackageSources;
  /** The manager's own folder among the packages. */
  readonly into: string;
  /** For caches and other files that are not part of the archive. */
  readonly workDir: string;
  readonly run: RunProgram;
}

type Install = (installation: Installation) => Promise<void>;

/** How each manager installs into a folder without root's rights. Names come last, so none is read as an option. */
export const INSTALL: Readonly<Record<PackageManager, Install>> = {
  apt: installDebs,

  async cargo({ names, sources, into, workDir, run }) {
    const index = sources.cargoIndex === undefined ? [] : ['--index', `sparse+${sources.cargoIndex}`];
    await run('cargo', ['install', '--root', into, ...index, '--', ...names], {
      CARGO_HOME: workDir,
      CARGO_TARGET_DIR: join(workDir, 'target'),
    });
  },

  async gem({ names, sources, into, run }) {
    const source = sources.gemSource === undefined ? [] : ['--clear-sources', '--source', sources.gemSource];
    const folders = ['--install-dir', into, '--bindir', join(into, 'bin')];
    // `gem` passes what follows a `--` to the compiler, so the names come without it.
    await run('gem', ['install', '--no-document', '--env-shebang', ...folders, ...source, ...names]);
  },

  async go({ names, sources, into, workDir, run }) {
    const environment = {
      GOBIN: join(into, 'bin'),
      GOPATH: workDir,
      GOCACHE: join(workDir, 'cache'),
      ...(sources.goProxy !== undefined && { GOPROXY: sources.goProxy }),
    };
    // One command per package, because all packages of one `go install` must be of the same module.
    for (const name of names) await run('go', ['install', name.includes('@') ? name : `${name}@latest`], environment);
  },

  async npm({ names, sources, into, workDir, run }) {
    const registry = sources.npmRegistry === undefined ? [] : ['--registry', sources.npmRegistry];
    const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--cache', workDir];
    await run('npm', ['install', '--global', '--prefix', into, ...quiet, ...registry, '--', ...names]);
  },

  async pip({ names, sources, into, run }) {
    const index = sources.pipIndexUrl === undefined ? [] : ['--index-url', sources.pipIndexUrl];
    const quiet = ['--no-cache-dir', '--no-input', '--disable-pip-version-check', '--quiet'];
    await run('python3', ['-m', 'pip', 'install', '--target', into, ...quiet, ...index, '--', ...names]);
  },
};

/**
 * Downloads and unpacks what the packages need and the image lacks. Packages are not configured, because their scripts
 * expect root's rights and to write below `/`. So services, users, alternatives and generated caches are missing.
 */
async function installDebs({ names, sources, into, workDir, run }: Installation): Promise<void> {
  const [state, cache, list] = [join(workDir, 'state'), join(workDir, 'cache'), join(workDir, 'sources.list')];
  for (const folder of [join(state, 'lists/partial'), join(cache, 'archives/partial')])
    await mkdir(folder, { recursive: true });
  const options = [
    `Dir::State=${state}`,
    'Dir::State::status=/var/lib/dpkg/status',
    `Dir::Cache=${cache}`,
    // The system's locks belong to root, and no other process installs here.
    'Debug::NoLocking=true',
    ...(sources.aptSources === undefined ? [] : [`Dir::Etc::sourcelist=${list}`, 'Dir::Etc::sourceparts=-']),
  ].flatMap((option) => ['-o', option]);
  if (sources.aptSources !== undefined) await writeFile(list, `${sources.aptSources.join('\n')}\n`);
  await run('apt-get', [...options, '--quiet', '--error-on=any', 'update']);
  const quiet = ['--quiet', '--yes', '--no-install-recommends', '--download-only'];
  await run('apt-get', [...options, ...quiet, 'install', '--', ...names]);
  const debs = (await readdir(join(cache, 'archives'))).filter((file) => file.endsWith('.deb'));
  for (const deb of debs) await run('dpkg-deb', ['--extract', join(cache, 'archives', deb), into]);
}
