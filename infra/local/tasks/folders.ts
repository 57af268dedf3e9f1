/** Folders that belong to the agent in a sandbox. */
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** The user in the sandbox, and its group. */
export const AGENT_ID = 1000;

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Root gives the folders to the agent; an ordinary user is the agent in its sandbox and keeps them. */
export async function makeFolders(taskDir: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const folder = join(taskDir, name);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    if (isRoot()) await chown(folder, AGENT_ID, AGENT_ID);
  }
}
