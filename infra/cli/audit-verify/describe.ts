/** The result of a verification, as text. */
import type { ChainCheck } from '#core/audit/verify.ts';
import { verdictOf, type Verification } from './verify-export.ts';

export function describe(verification: Verification): readonly string[] {
  const { checks, unreadable, ambiguous } = verification;
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
    verdict === 'intact' ? intact(checks) : NOT_INTACT,
    ...(checks.some(({ flaw }) => flaw?.rule === 'missing') ? [PARTS] : []),
    ...(heads.length === 0 ? [] : [HEADS, ...heads]),
  ];
}

const NO_EXPORT =
  'This is no export of the audit trail: it must be records, one per line, or saved answers of GET /v1/x/audit or …/audit/chains/{chain}.';
const NOT_INTACT = 'NOT intact: in each chain, no record after the named one is proven.';
const PARTS = 'A filtered export, or one that begins later, lacks records too: only whole chains can be verified.';
const HEADS =
  'Keep these heads in a safe place. With them, the next verification also finds records removed from the end of a chain:';

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
