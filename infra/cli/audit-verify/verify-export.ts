/** All chains of an export, each record once, in the order in which they come. */
import { ChainLink, checkNext, endCheck, startCheck, type ChainCheck, type Checkpoint } from '#core/audit/verify.ts';
import type { Sha256 } from '#core/ports/canonical-json.ts';

export interface Exported {
  /** Where it stands, for people: `line 12`. */
  readonly where: string;
  /** Undefined for what is no JSON. */
  readonly value: unknown;
}

export interface Verification {
  readonly checks: readonly ChainCheck[];
  /** Where something stands that is no record. */
  readonly unreadable: readonly string[];
}

/** `checkpoints` by chain. A chain with a checkpoint that does not come at all is cut off. */
export async function verifyExport(
  exported: AsyncIterable<Exported>,
  checkpoints: ReadonlyMap<string, Checkpoint>,
  sha256: Sha256,
): Promise<Verification> {
  const checks = new Map<string, ChainCheck>();
  const seen = new Set<string>();
  const unreadable: string[] = [];
  for await (const { where, value } of exported) {
    const link = ChainLink.safeParse(value).data;
    if (link === undefined) {
      unreadable.push(where);
      continue;
    }
    const chain = `${link.workspace} ${link.chain}`;
    const check = checks.get(chain) ?? startCheck(chain, checkpoints.get(link.chain) ?? null);
    checks.set(chain, checkNext(check, link, sha256));
    seen.add(link.chain);
  }
  const absent = [...checkpoints].filter(([chain]) => !seen.has(chain));
  const all = [...checks.values(), ...absent.map(([chain, checkpoint]) => startCheck(`- ${chain}`, checkpoint))];
  return { checks: all.map(endCheck), unreadable };
}

/** `no export`: there is something, and not one record in it. What is among records and is none may have been one. */
export type Verdict = 'intact' | 'not intact' | 'nothing' | 'no export';

export function verdictOf({ checks, unreadable }: Verification): Verdict {
  if (checks.length === 0) return unreadable.length === 0 ? 'nothing' : 'no export';
  return unreadable.length === 0 && checks.every(({ flaw }) => flaw === null) ? 'intact' : 'not intact';
}
