/** Folders that belong to users of a sandbox. */
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Root gives the folders to their user; an ordinary user is the one user of its sandbox and keeps them. */
export async function makeFolders(taskDir: string, owners: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, owner] of Object.entries(owners)) {
    const folder = join(taskDir, name);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    if (isRoot()) await chown(folder, owner, owner);
  }
}
