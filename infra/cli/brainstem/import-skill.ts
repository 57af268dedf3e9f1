import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { ask, CommandError } from './service.ts';

export async function importSkill(dir: string, as: string): Promise<string> {
  const [, name] = /^anthropic\/([a-z0-9-]+)$/.exec(as) ?? [];
  if (name === undefined) throw new CommandError('--as: must be anthropic/NAME, such as anthropic/xlsx');
  const form = new FormData();
  const root = resolve(dir);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = [basename(root), ...relative(root, file).split(sep)].join('/');
    form.append('files[]', new Blob([await readFile(file)]), path);
  }
  const { id } = await ask<{ id: string }>(`/v1/x/skills/anthropic/${name}`, { body: form });
  return `${name}: version ${id} is registered`;
}
