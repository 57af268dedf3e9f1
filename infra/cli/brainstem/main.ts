#!/usr/bin/env node
/** `npx brainstem …` */
import { parseArgs } from 'node:util';
import { importSkill } from './import-skill.ts';
import { CommandError } from './service.ts';
import { uploadFile } from './upload-file.ts';

const USAGE = `Usage:

  npx brainstem upload FILE [--type MIME_TYPE]           upload a file of up to 500 MB, and print its id
  npx brainstem skills import DIR --as anthropic/NAME    register your copy of a pre-built skill, such as anthropic/xlsx;
                                                         DIR holds SKILL.md, and its name must be NAME. Above 4 MB,
                                                         name a zip of it instead

ANTHROPIC_BASE_URL is the URL of the service, and ANTHROPIC_API_KEY a key of the workspace that gets it.`;

async function run(args: readonly string[]): Promise<string> {
  const options = { as: { type: 'string' }, type: { type: 'string' }, help: { type: 'boolean' } } as const;
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  const { as, type, help = false } = values;
  const [first, second = '', third = ''] = positionals;
  if (!help && first === 'upload' && positionals.length === 2 && as === undefined) return upload(second, type);
  const isImport = first === 'skills' && second === 'import' && positionals.length === 3;
  if (!help && isImport && as !== undefined && type === undefined) return importSkill(third, { as, upload });
  throw new CommandError(USAGE);
}

async function upload(file: string, type?: string): Promise<string> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  const show = (sent: number, all: number): void => {
    if (process.stderr.isTTY)
      process.stderr.write(`\r${Math.floor((100 * sent) / Math.max(1, all))} % of ${all} bytes`);
  };
  try {
    return await uploadFile(file, { type, signal: interrupted.signal, onProgress: show });
  } finally {
    if (process.stderr.isTTY) process.stderr.write('\n');
  }
}

try {
  console.log(await run(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : 'the command failed');
  process.exitCode = 2;
}
