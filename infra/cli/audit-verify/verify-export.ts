/** Verifies all chains of an export, record by record, in the order of the export. */
import { ChainLink, checkNext, endCheck, startCheck, type ChainCheck, type Checkpoint } from '#core/audit/verify.ts';
import type { Sha256 } from '#core/ports/canonical-json.ts';

export interface Exported {
  /** The place in the export, to print: `line 12`. */
  readonly where: string;
  /** Undefined for a line that is no JSON. */
  readonly value: unknown;
  /** A field that an object in it has twice. */
  readonly repeated?: string | null;
}

export interface Verification {
  readonly checks: readonly ChainCheck[];
  /** The places of what is no record. */
  readonly unreadable: readonly string[];
  /** What is wrong with what is no clear record, by place: a field twice. */
  readonly ambiguous: readonly string[];
}

/** @param checkpoints by chain; a chain with a checkpoint and without records in the export is cut off */
export async function verifyExport(
  exported: AsyncIterable<Exported>,
  checkpoints: ReadonlyMap<string, Checkpoint>,
  sha256: Sha256,
): Promise<Verification> {
  const checks = new Map<string, ChainCheck>();
  const seen = new Set<string>();
  const unreadable: string[] = [];
  const ambiguous: string[] = [];
  for await (const { where, value, repeated = null } of exported) {
    if (repeated !== null) ambiguous.push(`${where}: has the field ${JSON.stringify(repeated)} twice`);
    const link = ChainLink.safeParse(value).data;
    if (link === undefined) {
      unreadable.push(where);
      continue;
    }
    const chain = `${link.workspace} ${link.chain}`;
    // The value itself, because the parser drops a field with the name `__proto__`.
    const check = checks.get(chain) ?? startCheck(chain, checkpoints.get(link.chain) ?? null);
    checks.set(chain, checkNext(check, value as ChainLink, sha256));
    seen.add(link.chain);
  }
  const absent = [...checkpoints].filter(([chain]) => !seen.has(chain));
  const all = [...checks.values(), ...absent.map(([chain, checkpoint]) => startCheck(`- ${chain}`, checkpoint))];
  return { checks: all.map(endCheck), unreadable, ambiguous };
}

/** `no export` means input without any record. What is no record among records may be a damaged one: not intact. */
export type Verdict = 'intact' | 'not intact' | 'nothing' | 'no export';

export function verdictOf({ checks, unreadable, ambiguous }: Verification): Verdict {
  if (ambiguous.length > 0) return 'not intact';
  if (checks.length === 0) return unreadable.length === 0 ? 'nothing' : 'no export';
  return unreadable.length === 0 && checks.every(({ flaw }) => flaw === null) ? 'intact' : 'not intact';
}
