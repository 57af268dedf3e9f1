/** Programs that npm installed beside this package, for sandboxes on machines that lack them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const { resolve } = createRequire(import.meta.url);

/** The Node.js that the sandbox server runs on: the one npm installed beside this package, else the running one. */
export function nodeBinary(): string {
  return installed('node/package.json', 'bin/node') ?? process.execPath;
}

/** The ripgrep of the `grep` tool; null where npm has none for this kind of machine: the tool then searches by itself. */
export function ripgrepBinary(): string | null {
  return installed(`@vscode/ripgrep-${process.platform}-${process.arch}/package.json`, 'bin/rg');
}

function installed(packageJson: string, program: string): string | null {
  try {
    const path = join(dirname(resolve(packageJson)), program);
    return existsSync(path) ? path : null;
  } catch {
    // Both packages are optional.
    return null;
  }
}
