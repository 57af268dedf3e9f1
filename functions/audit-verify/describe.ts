/** What a verification found, in words for people. */
import type { ChainCheck } from '#core/audit/verify.ts';
import { isIntact, type Verification } from './verify-export.ts';

export function describe(verification: Verification): readonly string[] {
  const { checks, unreadable } = verification;
  const sorted = checks.toSorted((a, b) => (a.chain < b.chain ? -1 : 1));
  const heads = sorted.flatMap(({ chain, head, flaw }) =>
    head === null || flaw !== null ? [] : [`  --expect ${chain.split(' ')[1]}=${head.position}:${head.hash}`],
  );
  return [
    ...unreadable.map((where) => `✗ ${where}: is no audit record`),
    ...sorted.map(describeChain),
    verdictOf(verification),
    ...(heads.length === 0 ? [] : [HEADS, ...heads]),
  ];
}

const HEADS =
  'Keep these heads where nobody can change them. Given back next time, they show also what was taken off a chain’s end:';

function describeChain({ chain, records, flaw, head }: ChainCheck): string {
  const [workspace, name] = chain.split(' ');
  const place = workspace === '-' ? `chain ${name}` : `${workspace} chain ${name}`;
  if (flaw === null) return `✓ ${place}: ${count(records, 'record')}, intact up to position ${head?.position ?? 0}`;
  return `✗ ${place}: position ${flaw.position} is ${flaw.rule}: ${flaw.message}`;
}

function verdictOf(verification: Verification): string {
  const { checks } = verification;
  if (checks.length === 0 && isIntact(verification)) return 'There are no records.';
  const records = checks.reduce((sum, check) => sum + check.records, 0);
  if (isIntact(verification)) return `Intact: ${count(records, 'record')} in ${count(checks.length, 'chain')}.`;
  return 'NOT intact: after the first record that is named of a chain, nothing of it is proven.';
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
