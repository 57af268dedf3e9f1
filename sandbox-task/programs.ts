import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { MAX_FAILURE_CHARS } from '../functions/contract/packages.ts';
import type { RunProgram } from './package-managers.ts';
import type { PackagePaths } from './package-paths.ts';

const MAX_KEPT_CHARS = 20_000;
/** The system's certificates, for managers that would otherwise trust a list of their own. */
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const TRUST = ['NODE_EXTRA_CA_CERTS', 'PIP_CERT', 'CARGO_HTTP_CAINFO', 'SSL_CERT_FILE'];

export class ProgramFailure extends Error {
  override readonly name = 'ProgramFailure';
  readonly program: string;
  readonly ending: 'absent' | 'late' | 'failed';
  readonly output: string;

  constructor(program: string, ending: ProgramFailure['ending'], output: string) {
    super(`${program}: ${ending}`);
    this.program = program;
    this.ending = ending;
    this.output = output;
  }
}

interface ProgramsOptions {
  readonly packages: PackagePaths;
  readonly workDir: string;
  readonly signal: AbortSignal;
}

/**
 * Runs programs that see the packages installed so far, and nothing of the build's own environment: the URL in it is
 * not for the scripts that packages bring. They could find it all the same, and then replace this archive and no other.
 */
export function programRunner({ packages, workDir, signal }: ProgramsOptions): RunProgram {
  const trust = existsSync(CERTIFICATES) ? TRUST.map((name) => [name, CERTIFICATES] as const) : [];
  const own = {
    ...packages.variables,
    ...Object.fromEntries(trust),
    PATH: [...packages.path, process.env['PATH'] ?? ''].join(':'),
    HOME: homedir(),
    TMPDIR: join(workDir, 'tmp'),
    LANG: 'C.UTF-8',
    DEBIAN_FRONTEND: 'noninteractive',
    // Where the image has Rust's compiler; without it `cargo` looks below the home folder.
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
      throw new ProgramFailure(program, error.code === 'ENOENT' ? 'absent' : 'late', output);
    });
    if (code !== 0) throw new ProgramFailure(program, 'failed', output);
  };
}

/** The end of what a program said, where managers put their reason; addresses without the passwords in them. */
export function lastWords(output: string): string {
  const plain = stripVTControlCharacters(output)
    .replaceAll(/\/\/[^/@\s]+@/g, '//***@')
    .trim();
  return plain.slice(-MAX_FAILURE_CHARS).toWellFormed();
}
