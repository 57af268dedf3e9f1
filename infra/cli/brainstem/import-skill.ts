import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { ask, CommandError } from './service.ts';

/** @param upload sends a zip, which no form carries when it is large, and answers the id of its file */
export async function importSkill(
  from: string,
  { as, upload }: { readonly as: string; readonly upload: (zip: string) => Promise<string> },
): Promise<string> {
  const [, name] = /^anthropic\/([a-z0-9-]+)$/.exec(as) ?? [];
  if (name === undefined) throw new CommandError('--as: must be anthropic/NAME, such as anthropic/xlsx');
  if (!(await stat(from)).isFile()) return register(name, await formOf(from));
  const file = await upload(from);
  const form = new FormData();
  form.append('file_id', file);
  try {
    return await register(name, form);
  } finally {
    await ask(`/v1/files/${file}`, { method: 'DELETE' });
  }
}

async function formOf(dir: string): Promise<FormData> {
  const form = new FormData();
  const root = resolve(dir);
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = [basename(root), ...relative(root, file).split(sep)].join('/');
    form.append('files[]', new Blob([await readFile(file)]), path);
  }
  return form;
}

async function register(name: string, form: FormData): Promise<string> {
  const { id } = await ask<{ id: string }>(`/v1/x/skills/anthropic/${name}`, { body: form });
  return `${name}: version ${id} is registered`;
}
