import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The Node.js that the sandbox server runs on: the one npm installed beside this package, else the running one. */
export function nodeBinary(): string {
  try {
    const installed = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
    if (existsSync(installed)) return installed;
  } catch {
    // The package is optional: whoever runs Node.js 24 themselves does not need it.
  }
  return process.execPath;
}
