import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFile } from '../atomic-file.ts';

/** Key material in files that only this user can read, one per key. */
export interface KeyStore {
  material(id: string): Buffer;
}

export function openKeyStore(dir: string): KeyStore {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  const read = new Map<string, Buffer>();
  return {
    material: (id) => {
      const known = read.get(id);
      if (known !== undefined) return known;
      const file = join(dir, `${id}.key`);
      // Only the first start makes one.
      createFile(file, randomBytes(32), 0o600);
      const material = readFileSync(file);
      read.set(id, material);
      return material;
    },
  };
}
