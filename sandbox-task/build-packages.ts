/** The program of a build task: it installs packages, and stores the archive or the reason of its failure. */
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
import { INSTALL, type Installation } from './package-managers.ts';
import { packagePaths } from './package-paths.ts';
import { BuildFailure, programRunner } from './programs.ts';

const TRIES = 3;
const TRY_AGAIN_MS = 1000;

async function build(order: PackageOrder, dir: string): Promise<void> {
  const workDir = join(homedir(), 'build');
  const archive = join(workDir, 'archive.tar.gz');
  await mkdir(join(workDir, 'tmp'), { recursive: true });
  const run = programRunner(packagePaths(dir), workDir);
  for (const manager of PACKAGE_MANAGERS) {
    const [names, into] = [order.packages[manager], join(dir, manager)];
    const place = { into, workDir: join(workDir, manager), run };
    if (names.length > 0) await install(manager, { names, sources: order.sources, ...place });
  }
  await run('tar', ['--create', '--gzip', '--sort=name', '--file', archive, '--directory', dir, '.']);
  await putArchive(order.archiveUrl, archive);
}

async function install(manager: PackageManager, installation: Installation): Promise<void> {
  const { names, workDir, into } = installation;
  const option = names.find((name) => !/^[\w@][^\s]*$/.test(name.replaceAll(' ', '')));
  if (option !== undefined) throw new BuildFailure(`${JSON.stringify(option)} is not the name of a package`, manager);
  const startedAt = performance.now();
  await mkdir(workDir, { recursive: true });
  await mkdir(into, { recursive: true });
  await INSTALL[manager](installation).catch((error: unknown) => {
    throw error instanceof BuildFailure ? new BuildFailure(error.message, manager) : error;
  });
  logLine('INFO', 'installed', {
    manager,
    packages: names.length,
    durationMs: Math.round(performance.now() - startedAt),
  });
}

async function putArchive(url: string, path: string): Promise<void> {
  const file = await openAsBlob(path);
  if (file.size > MAX_ARCHIVE_BYTES)
    throw new BuildFailure(`The packages are longer than ${MAX_ARCHIVE_BYTES} bytes when packed: ${file.size}`);
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
    if (tries === TRIES) throw new BuildFailure(`The outcome could not be stored (HTTP ${status})`);
    await sleep(TRY_AGAIN_MS * tries);
  }
}

async function readOrder(url: string): Promise<PackageOrder> {
  const response = await fetch(url);
  if (!response.ok) throw new BuildFailure(`The order could not be read (HTTP ${response.status})`);
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
  // A failure's message quotes a manager's output about a user's packages, which must not be in the log.
  logLine('ERROR', 'the build failed', {
    error: error instanceof Error ? error.name : typeof error,
    manager: error instanceof BuildFailure ? error.manager : null,
  });
  process.exitCode = 1;
}
