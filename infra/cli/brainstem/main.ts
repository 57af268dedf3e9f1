#!/usr/bin/env node
/** `npx brainstem skills import DIR --as anthropic/NAME` */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = `Usage:

  npx brainstem skills import DIR --as anthropic/NAME    register your copy of a pre-built skill, such as anthropic/xlsx;
                                                         DIR holds SKILL.md, and its name must be NAME

ANTHROPIC_BASE_URL is the URL of the service, and ANTHROPIC_API_KEY a key of the workspace whose agents may use it.`;

/** A wrong argument or an answer of the service, which the program prints as one line. */
class CommandError extends Error {}

function setting(name: string): string {
  const value = process.env[name] ?? '';
  if (value === '') throw new CommandError(`${name}: is not set`);
  return value;
}

async function importSkill(dir: string, as: string): Promise<string> {
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
  const url = `${setting('ANTHROPIC_BASE_URL').replace(/\/$/, '')}/v1/x/skills/anthropic/${name}`;
  const headers = { authorization: `Bearer ${setting('ANTHROPIC_API_KEY')}` };
  const response = await fetch(url, { method: 'POST', headers, body: form });
  const answer = (await response.json()) as { id?: string; error?: { message?: string } };
  if (!response.ok) throw new CommandError(answer.error?.message ?? `the service answered ${response.status}`);
  return `${name}: version ${answer.id} is registered`;
}

async function run(args: readonly string[]): Promise<string> {
  const options = { as: { type: 'string' }, help: { type: 'boolean' } } as const;
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [area, command, dir, ...more] = positionals;
  const isWhole = area === 'skills' && command === 'import' && dir !== undefined && more.length === 0;
  if (values.help === true || !isWhole || values.as === undefined) throw new CommandError(USAGE);
  return importSkill(dir, values.as);
}

try {
  console.log(await run(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : 'the command failed');
  process.exitCode = 2;
}
