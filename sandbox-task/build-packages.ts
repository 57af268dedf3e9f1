/** Installs an environment's packages and leaves the archive, or the reason why there is none; then it ends. */
import { openAsBlob } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BuildVariables,
  MAX_ARCHIVE_BYTES,
  PACKAGE_MANAGERS,
  PackageOrder,
  type PackageFailure,
  type PackageManager,
} from '../functions/contract/packages.ts';
import { logLine } from './log.ts';
import { INSTALL } from './package-managers.ts';
import { packagePaths } from './package-paths.ts';
import { lastWords, programRunner, ProgramFailure } from './programs.ts';

/** Below the lifetime of the URLs in the order, and below the idle time of a sandbox that waits for it. */
const LIMIT_MS = 1_200_000;
const TRIES = 3;
const TRY_AGAIN_MS = 1000;

class BuildFailure extends Error {
  override readonly name = 'BuildFailure';
  readonly manager: PackageManager | null;

  constructor(manager: PackageManager | null, message: string) {
    super(message);
    this.manager = manager;
  }
}

async function build(order: PackageOrder, dir: string): Promise<void> {
  const workDir = join(homedir(), 'build');
  const archive = join(workDir, 'archive.tar.gz');
  await mkdir(join(workDir, 'tmp'), { recursive: true });
  const run = programRunner({ packages: packagePaths(dir), workDir, signal: AbortSignal.timeout(LIMIT_MS) });
  for (const manager of PACKAGE_MANAGERS) {
    const names = order.packages[manager];
    if (names.length > 0) await install(manager, order, { names, into: join(dir, manager), workDir, run });
  }
  await run('tar', ['--create', '--gzip', '--sort=name', '--file', archive, '--directory', dir, '.']).catch(
    asFailureOf(null),
  );
  await putArchive(order.archiveUrl, archive);
}

interface Place {
  readonly names: readonly string[];
  readonly into: string;
  readonly workDir: string;
  readonly run: ReturnType<typeof programRunner>;
}

async function install(manager: PackageManager, { sources }: PackageOrder, place: Place): Promise<void> {
  const option = place.names.find((name) => !/^[\w@][^\s]*$/.test(name.replaceAll(' ', '')));
  if (option !== undefined) throw new BuildFailure(manager, `${JSON.stringify(option)} is not the name of a package`);
  const startedAt = performance.now();
  const workDir = join(place.workDir, manager);
  await mkdir(workDir, { recursive: true });
  await mkdir(place.into, { recursive: true });
  await INSTALL[manager]({ ...place, workDir, sources }).catch(asFailureOf(manager));
  logLine('INFO', 'installed', {
    manager,
    packages: place.names.length,
    durationMs: Math.round(performance.now() - startedAt),
  });
}

function asFailureOf(manager: PackageManager | null): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof ProgramFailure)) throw error;
    switch (error.ending) {
      case 'absent':
        throw new BuildFailure(manager, `${error.program} is not in the image of this build`);
      case 'late':
        throw new BuildFailure(manager, `was not finished after ${LIMIT_MS / 60_000} minutes`);
      case 'failed':
        throw new BuildFailure(manager, lastWords(error.output));
      default:
        throw error.ending satisfies never;
    }
  };
}

async function putArchive(url: string, path: string): Promise<void> {
  const file = await openAsBlob(path);
  if (file.size > MAX_ARCHIVE_BYTES)
    throw new BuildFailure(null, `The packages are longer than ${MAX_ARCHIVE_BYTES} bytes when packed: ${file.size}`);
  await put(url, file);
  logLine('INFO', 'archived', { bytes: file.size });
}

async function put(url: string, body: Blob): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const status = await fetch(url, { method: 'PUT', body }).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (tries === TRIES) throw new BuildFailure(null, `The outcome could not be stored (HTTP ${status})`);
    await sleep(TRY_AGAIN_MS * tries);
  }
}

async function readOrder(url: string): Promise<PackageOrder> {
  const response = await fetch(url);
  if (!response.ok) throw new BuildFailure(null, `The order could not be read (HTTP ${response.status})`);
  return PackageOrder.parse(await response.json());
}

async function main(): Promise<void> {
  const { PACKAGES_ORDER_URL, PACKAGES_DIR } = BuildVariables.parse(process.env);
  const order = await readOrder(PACKAGES_ORDER_URL);
  try {
    await build(order, PACKAGES_DIR);
  } catch (error) {
    const { manager = null, message } = error instanceof BuildFailure ? error : { message: 'The build itself failed.' };
    const failure: PackageFailure = { attempt: order.attempt, manager, message };
    await put(order.failureUrl, new Blob([JSON.stringify(failure)]));
    throw error;
  }
}

try {
  await main();
} catch (error) {
  // A failure's message quotes what a manager said of packages that somebody chose: that is not for the log.
  logLine('ERROR', 'the build failed', {
    error: error instanceof Error ? error.name : typeof error,
    manager: error instanceof BuildFailure ? error.manager : null,
  });
  process.exitCode = 1;
}
