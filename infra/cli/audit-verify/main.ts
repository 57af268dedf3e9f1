/** `npm run audit:verify -- <export… | base URL> [--key …] [--heads …]… [--expect 07=123:<hash>]… [--chain 07]…` */
import { parseArgs } from 'node:util';
import { AUDIT_CHAINS } from '#contract/audit.ts';
import type { Checkpoint } from '#core/audit/verify.ts';
import { describe } from './describe.ts';
import { readFiles, readHeads, readService } from './read-export.ts';
import { verdictOf, verifyExport, type Exported, type Verdict } from './verify-export.ts';

const USAGE = `Verifies that audit records are unchanged.

  npm run audit:verify -- FILE…                   records, oldest first: one per line, or saved answers of
                                                  GET /v1/x/audit or of …/audit/chains/{chain}, one per file or line
  npm run audit:verify -- https://…/v1-stage      all chains of a service; BRAINSTEM_API_KEY holds a key of the workspace
  --key <SHA-256>                                 the key of the deployment; the stack's output AuditKeyFingerprint
                                                  says how to get it. Without it, any key is taken
  --heads FILE                                    an earlier export: the chains must still contain its signed heads
  --expect 07=123:<hash>                          a head that you kept: the chain must still contain it
  --chain 07                                      the export has this chain only, and not all sixteen

Ends with 0 when all is intact, 1 when something is not, 2 when there is nothing to verify or it could not be read.`;

/** A wrong argument, which the program prints as one line. */
class UsageError extends Error {}

function checkpointOf(text: string): readonly [string, Checkpoint] {
  const [, chain = '', position = '', hash = ''] = /^(\d\d)=([1-9]\d*):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!AUDIT_CHAINS.includes(chain)) throw new UsageError(`--expect: "${text}" is not <chain>=<position>:<hash>`);
  return [chain, { position: Number(position), hash }];
}

function chainOf(text: string): string {
  if (!AUDIT_CHAINS.includes(text)) throw new UsageError(`--chain: "${text}" is not a chain from 00 to 15`);
  return text;
}

function keyOf(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new UsageError('--key: is not a SHA-256 in hex');
  return text;
}

const SERVICE = /^https?:\/\//;
const EXIT_CODES = { intact: 0, 'not intact': 1, nothing: 2, 'no export': 2 } as const satisfies Record<
  Verdict,
  number
>;

/** A service signs its heads when it is asked; clocks may differ. */
const MAX_AGE_MS = 10 * 60_000;

const isService = (targets: readonly string[]) => targets.some((one) => SERVICE.test(one));

function sourceOf(targets: readonly string[]): AsyncIterable<Exported> {
  const [target = ''] = targets;
  if (!isService(targets)) return readFiles(targets);
  if (targets.length > 1) throw new UsageError('a service is verified by itself, without files');
  const apiKey = process.env['BRAINSTEM_API_KEY'] ?? '';
  if (apiKey === '') throw new UsageError('BRAINSTEM_API_KEY: is not set');
  return readService(target, apiKey);
}

async function* inOrder(...sources: readonly AsyncIterable<Exported>[]): AsyncGenerator<Exported> {
  for (const source of sources) yield* source;
}

async function run(args: readonly string[]): Promise<number> {
  const many = { type: 'string', multiple: true } as const;
  const options = {
    expect: many,
    heads: many,
    chain: many,
    key: { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  const { positionals, values } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (values.help === true || positionals.length === 0) throw new UsageError(USAGE);
  const expected = {
    checkpoints: new Map((values.expect ?? []).map(checkpointOf)),
    chains: values.chain?.map(chainOf) ?? AUDIT_CHAINS,
    key: values.key === undefined ? null : keyOf(values.key),
    signedAfter: isService(positionals) ? new Date(Date.now() - MAX_AGE_MS).toISOString() : null,
  };
  const exported = inOrder(readHeads(values.heads ?? []), sourceOf(positionals));
  const verification = await verifyExport(exported, expected);
  for (const line of describe(verification)) console.log(line);
  return EXIT_CODES[verdictOf(verification)];
}

process.exitCode = await run(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : 'the export could not be read');
  return 2;
});
