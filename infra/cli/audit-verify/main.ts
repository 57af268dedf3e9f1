/** `npm run audit:verify -- <export… | base URL> [--expect 07=123:<hash>]…` */
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import { AUDIT_CHAINS } from '#contract/audit.ts';
import type { Checkpoint } from '#core/audit/verify.ts';
import { describe } from './describe.ts';
import { readFiles, readService } from './read-export.ts';
import { verdictOf, verifyExport, type Verdict } from './verify-export.ts';

const USAGE = `Verifies that audit records are unchanged.

  npm run audit:verify -- FILE…                   records, oldest first: one per line, or saved answers of
                                                  GET /v1/x/audit or of …/audit/chains/{chain}, one per file or line
  npm run audit:verify -- https://…/v1-stage      all chains of a service; BRAINSTEM_API_KEY holds a key of the workspace
  --expect 07=123:<hash>                          a head that you kept: the chain must still contain it

Ends with 0 when all is intact, 1 when something is not, 2 when there is nothing to verify or it could not be read.`;

/** A wrong argument, which the program prints as one line. */
class UsageError extends Error {}

function checkpointOf(text: string): readonly [string, Checkpoint] {
  const [, chain = '', position = '', hash = ''] = /^(\d\d)=([1-9]\d*):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!AUDIT_CHAINS.includes(chain)) throw new UsageError(`--expect: "${text}" is not <chain>=<position>:<hash>`);
  return [chain, { position: Number(position), hash }];
}

const SERVICE = /^https?:\/\//;
const EXIT_CODES = { intact: 0, 'not intact': 1, nothing: 2, 'no export': 2 } as const satisfies Record<
  Verdict,
  number
>;

function sourceOf(targets: readonly string[]) {
  const [target = ''] = targets;
  if (!targets.some((one) => SERVICE.test(one))) return readFiles(targets);
  if (targets.length > 1) throw new UsageError('a service is verified by itself, without files');
  const apiKey = process.env['BRAINSTEM_API_KEY'] ?? '';
  if (apiKey === '') throw new UsageError('BRAINSTEM_API_KEY: is not set');
  return readService(target, apiKey);
}

async function run(args: readonly string[]): Promise<number> {
  const options = { expect: { type: 'string', multiple: true }, help: { type: 'boolean' } } as const;
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (values.help === true || positionals.length === 0) throw new UsageError(USAGE);
  const checkpoints = new Map((values.expect ?? []).map(checkpointOf));
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const verification = await verifyExport(sourceOf(positionals), checkpoints, sha256);
  for (const line of describe(verification)) console.log(line);
  return EXIT_CODES[verdictOf(verification)];
}

process.exitCode = await run(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : 'the export could not be read');
  return 2;
});
