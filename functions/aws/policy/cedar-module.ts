/**
 * Cedar's WebAssembly module. After an exception of the machine (a trap, an exhausted stack) its memory cannot be trusted: it is
 * thrown away, and the next use gets a new one, in which every workspace's policies are prepared again.
 */
import { createRequire } from 'node:module';
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';

export type CedarModule = typeof Cedar;

const require = createRequire(import.meta.url);
let current: CedarModule | null = null;

/** Loads Cedar with the first policy: most workspaces have none, and their calls must not wait for 4 MB of code. */
export async function loadCedar(): Promise<CedarModule> {
  // The bundler sees by this import that the function needs Cedar's files.
  const first = await import('@cedar-policy/cedar-wasm/nodejs');
  current ??= first;
  return current;
}

/** Whether this is the module in use: what was prepared in an earlier one must not be used. */
export function isCurrent(cedar: CedarModule): boolean {
  return cedar === current;
}

/** Throws what `work` throws, after it has replaced a module that can no longer be trusted. */
export function guarded<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && OF_THE_MACHINE.has(error.name)) renew();
    throw error;
  }
}

/** A trap of WebAssembly, and the end of the stack. Cedar's own errors leave its memory in order. */
const OF_THE_MACHINE: ReadonlySet<string> = new Set(['RuntimeError', 'RangeError']);

function renew(): void {
  const path = require.resolve('@cedar-policy/cedar-wasm/nodejs');
  delete require.cache[path];
  current = require(path) as CedarModule;
}
