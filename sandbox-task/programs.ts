import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { MAX_FAILURE_CHARS, type PackageManager } from '../functions/contract/packages.ts';
import type { RunProgram } from './package-managers.ts';
import type { PackagePaths } from './package-paths.ts';

/** Shorter than the lifetime of the order's URLs, and than the idle time of a sandbox that waits for the packages. */
const LIMIT_MS = 1_200_000;
const MAX_KEPT_CHARS = 20_000;
/** The system's certificates, for managers that would otherwise trust their own list. */
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const TRUST = ['NODE_EXTRA_CA_CERTS', 'PIP_CERT', 'CARGO_HTTP_CAINFO', 'SSL_CERT_FILE'];

/** The reason why there is no archive, and the manager that failed; null for the build as a whole. */
export class BuildFailure extends Error {
  override readonly name = 'BuildFailure';
  readonly manager: PackageManager | null;

  constructor(message: string, manager: PackageManager | null = null) {
    super(message);
    this.manager = manager;
  }
}

/**
 * Runs programs that see the packages installed so far, and no variable of the build itself: the URL in its environment
 * is not for the scripts of packages. A script that finds the URL anyway can replace this archive and no other.
 */
export function programRunner(packages: PackagePaths, workDir: string): RunProgram {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const trust = existsSync(CERTIFICATES) ? TRUST.map((name) => [name, CERTIFICATES] as const) : [];
  const own = {
    ...packages.variables,
    ...Object.fromEntries(trust),
    PATH: [...packages.path, process.env['PATH'] ?? ''].join(':'),
    HOME: homedir(),
    TMPDIR: join(workDir, 'tmp'),
    LANG: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
    ...proxies(),
    // The folder of Rust's compiler in the image; without this variable `cargo` looks below the home folder.
    ...(process.env['RUSTUP_HOME'] !== undefined && { RUSTUP_HOME: process.env['RUSTUP_HOME'] }),
  };
  return async function run(program, args, environment = {}) {
    const child = spawn(program, args, {
      cwd: workDir,
      env: { ...own, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal,
    });
    let output = '';
    const keep = (chunk: Buffer): void => void (output = (output + chunk.toString('utf8')).slice(-MAX_KEPT_CHARS));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const [code] = await once(child, 'close').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw new BuildFailure(`${program} is not in the image of this build`);
      throw new BuildFailure(`was not finished after ${LIMIT_MS / 60_000} minutes`);
    });
    if (code !== 0) throw new BuildFailure(lastWords(output));
  };
}

/** Where the task's way out is a proxy. */
function proxies(): Record<string, string> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** The end of a program's output, where managers put their reason, with passwords in URLs replaced. */
export function lastWords(output: string): string {
  const plain = stripVTControlCharacters(output)
    .replaceAll(/\/\/[^/@\s]+@/g, '//***@')
    .trim();
  return plain.slice(-MAX_FAILURE_CHARS).toWellFormed();
}
