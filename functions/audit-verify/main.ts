/** `npm run audit:verify -- <export.jsonl | base URL> [--expect 07=123:<hash>]…` */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { AUDIT_CHAINS } from '#contract/audit.ts';
import type { Checkpoint } from '#core/audit/verify.ts';
import { describe } from './describe.ts';
import { readFile, readService } from './read-export.ts';
import { isIntact, verifyExport } from './verify-export.ts';

const USAGE = `Verifies that audit records are what was written.

  npm run audit:verify -- export.jsonl            one record per line, oldest first
  npm run audit:verify -- https://…/v1-stage      all chains of a service; BRAINSTEM_API_KEY holds a key of the workspace
  --expect 07=123:<hash>                          a head that was kept: the chain must still go through it

Ends with 0 when all is intact, 1 when something is not, 2 when it could not be read.`;

/** An argument that is wrong, told in one line. */
class UsageError extends Error {}

function checkpointOf(text: string): readonly [string, Checkpoint] {
  const [, chain = '', position = '', hash = ''] = /^(\d\d)=([1-9]\d*):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!AUDIT_CHAINS.includes(chain)) throw new UsageError(`--expect: "${text}" is not <chain>=<position>:<hash>`);
  return [chain, { position: Number(position), hash }];
}

function sourceOf(target: string) {
  if (!/^https?:\/\//.test(target)) return readFile(target);
  const apiKey = process.env['BRAINSTEM_API_KEY'] ?? '';
  if (apiKey === '') throw new UsageError('BRAINSTEM_API_KEY: is not set');
  return readService(target, apiKey);
}

async function run(args: readonly string[]): Promise<number> {
  const options = { expect: { type: 'string', multiple: true }, help: { type: 'boolean' } } as const;
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [target] = positionals;
  if (values.help === true || target === undefined || positionals.length > 1) throw new UsageError(USAGE);
  const checkpoints = new Map((values.expect ?? []).map(checkpointOf));
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const verification = await verifyExport(sourceOf(target), checkpoints, sha256);
  for (const line of describe(verification)) console.log(line);
  return isIntact(verification) ? 0 : 1;
}

process.exitCode = await run(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : 'it could not be read');
  return 2;
});
