/** The result of a verification, as text. */
import type { ChainCheck } from '#core/audit/verify.ts';
import { fingerprint, verdictOf, type Verification } from './verify-export.ts';

export function describe(verification: Verification): readonly string[] {
  const { unreadable, ambiguous, signed } = verification;
  const checks = verification.checks.filter(({ records, flaw }) => records > 0 || flaw !== null);
  const verdict = verdictOf(verification);
  if (verdict === 'no export') return [NO_EXPORT];
  if (verdict === 'nothing') return ['There are no records: nothing was verified.'];
  const sorted = checks.toSorted((a, b) => (a.chain < b.chain ? -1 : 1));
  const heads = sorted.flatMap(({ chain, head, flaw }) =>
    head === null || flaw !== null ? [] : [`  --expect ${chain.split(' ')[1]}=${head.position}:${head.hash}`],
  );
  return [
    ...unreadable.map((where) => `✗ ${where}: is no audit record`),
    ...ambiguous.map((what) => `✗ ${what}`),
    ...sorted.map(describeChain),
    ...(signed === null ? [] : [`Signed at ${signed.at}, with the key ${fingerprint(signed)}.`]),
    verdict === 'intact' ? intact(checks) : NOT_INTACT,
    ...(checks.some(({ flaw }) => flaw !== null && PARTIAL.includes(flaw.rule)) ? [PARTS] : []),
    ...(heads.length === 0 ? [] : [HEADS, ...heads]),
  ];
}

const NO_EXPORT =
  'This is no export of the audit trail: it must be records, one per line, or saved answers of GET /v1/x/audit or …/audit/chains/{chain}.';
const NOT_INTACT = 'NOT intact: in each chain, no record after the named one is proven.';
const PARTIAL: readonly string[] = ['missing', 'cut off', 'unsigned'];
const PARTS =
  'A filtered export, or one that begins later or ends earlier, lacks records too: only whole chains can be verified. An export by time may lack the records of its last moment.';
const HEADS =
  'Keep this export, or these heads, in a safe place. With --heads or --expect, the next verification also finds what is removed from here on:';

function describeChain({ chain, records, flaw, head }: ChainCheck): string {
  const [workspace, name] = chain.split(' ');
  const place = workspace === '-' ? `chain ${name}` : `${workspace} chain ${name}`;
  if (flaw === null) return `✓ ${place}: ${count(records, 'record')}, intact up to position ${head?.position ?? 0}`;
  return `✗ ${place}: position ${flaw.position} is ${flaw.rule}: ${flaw.message}`;
}

function intact(checks: readonly ChainCheck[]): string {
  const records = checks.reduce((sum, check) => sum + check.records, 0);
  return `Intact: ${count(records, 'record')} in ${count(checks.length, 'chain')}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
