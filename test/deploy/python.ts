/** Programs from PyPI. Each one is installed once, into a virtual environment of its own. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLines, mustRun, run, say } from './run.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Pip's message when the package index is unreachable. Every other error is a failure. */
const NO_WAY_TO_INDEX = /connection broken|Max retries exceeded|Name or service not known|Network is unreachable/;

/** Each name is that of the file with its requirements, and the module that it is for Python. */
const MODULES = { anthropic: 'anthropic', ministack: 'ministack', 'cfn-lint': 'cfnlint' };
export type PythonProgram = keyof typeof MODULES;

export function pythonOf(program: PythonProgram): string {
  return join(ROOT, 'node_modules/.cache', program, 'bin/python');
}

/** False only when the package index is unreachable. */
export async function installPython(program: PythonProgram): Promise<boolean> {
  const environment = join(ROOT, 'node_modules/.cache', program);
  const requirements = join(import.meta.dirname, `${program}.txt`);
  // This file is written last, so that an interrupted installation is repeated.
  const installed = join(environment, 'installed.txt');
  const isInstalled = existsSync(installed) && readFileSync(installed).equals(readFileSync(requirements));
  const python = pythonOf(program);
  // The virtual environment depends on the Python that made it, which may have been removed.
  if (isInstalled && (await run(python, ['-c', `import ${MODULES[program]}`])).code === 0) return true;
  say(`installing ${program} from PyPI`);
  rmSync(environment, { recursive: true, force: true });
  await mustRun('python3', ['-m', 'venv', environment], {
    why: 'python3 could not make a virtual environment: on Debian, install python3-venv',
  });
  const options = ['--no-input', '--disable-pip-version-check', '--only-binary=:all:', '--retries=2', '--timeout=15'];
  const pip = await run(python, ['-m', 'pip', 'install', ...options, '-r', requirements]);
  if (pip.code !== 0 && NO_WAY_TO_INDEX.test(pip.output)) return false;
  if (pip.code !== 0) throw new Error(`pip could not install ${program}:\n${lastLines(pip.output)}`);
  writeFileSync(installed, readFileSync(requirements));
  return true;
}
