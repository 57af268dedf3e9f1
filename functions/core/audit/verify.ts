/**
 * Checks that exported records are those that were written. A chain is checked record by record, so an export may be
 * larger than memory. Only a checkpoint shows that records were removed from the end of a chain: a head that the customer
 * has kept elsewhere.
 */
import * as z from 'zod';
import { AuditEntry, AuditRecord } from '#contract/audit.ts';
import { recordHash } from '#core/audit/chain.ts';
import type { Sha256 } from '#core/ports/canonical-json.ts';

export interface Checkpoint {
  readonly position: number;
  readonly hash: string;
}

/** The first fault of a chain. */
interface Flaw {
  readonly position: number;
  readonly rule: 'altered' | 'replaced' | 'missing' | 'reordered' | 'repeated' | 'not the checkpoint' | 'cut off';
  readonly message: string;
}

export interface ChainCheck {
  /** `<workspace> <chain>` */
  readonly chain: string;
  readonly checkpoint: Checkpoint | null;
  readonly records: number;
  /** The last record so far; null before the first. */
  readonly head: Checkpoint | null;
  readonly flaw: Flaw | null;
}

/** The fields of a record that place it in its chain; the others are only hashed. */
export const ChainLink = z.looseObject({
  id: z.string(),
  workspace: z.string(),
  chain: z.string(),
  position: z.int().min(1),
  previous: z.string().nullable(),
  hash: z.string(),
});
export type ChainLink = z.infer<typeof ChainLink>;

export function startCheck(chain: string, checkpoint: Checkpoint | null): ChainCheck {
  return { chain, checkpoint, records: 0, head: null, flaw: null };
}

export function checkNext(check: ChainCheck, link: ChainLink, sha256: Sha256): ChainCheck {
  const records = check.records + 1;
  if (check.flaw !== null) return { ...check, records, flaw: hindsight(check.flaw, link) };
  const flaw = flawOf(check, link, sha256);
  return { ...check, records, flaw, head: flaw === null ? { position: link.position, hash: link.hash } : check.head };
}

export function endCheck(check: ChainCheck): ChainCheck {
  const { flaw, head, checkpoint } = check;
  if (flaw !== null || checkpoint === null || (head?.position ?? 0) >= checkpoint.position) return check;
  const last = head?.position ?? 0;
  const message = `the chain ends at position ${last}, and had ${checkpoint.position} records at the checkpoint`;
  return { ...check, flaw: { position: last + 1, rule: 'cut off', message } };
}

/** A record that seemed missing and comes later was moved. */
function hindsight(flaw: Flaw, { position, id }: ChainLink): Flaw {
  if (flaw.rule !== 'missing' || position !== flaw.position) return flaw;
  return { position, rule: 'reordered', message: `the record ${id} comes after later ones` };
}

function flawOf(check: ChainCheck, link: ChainLink, sha256: Sha256): Flaw | null {
  return outOfPlace(check, link) ?? unlinked(check, link) ?? altered(link, sha256) ?? notTheCheckpoint(check, link);
}

function outOfPlace({ head, checkpoint }: ChainCheck, { position, id }: ChainLink): Flaw | null {
  if (head !== null && position <= head.position) {
    return { position, rule: 'repeated', message: `the record ${id} has a position that was there before` };
  }
  // An export may begin after the checkpoint of an earlier one.
  const continues = head === null && checkpoint !== null && position === checkpoint.position + 1;
  const expected = (head?.position ?? 0) + 1;
  if (continues || position === expected) return null;
  const gap = position === expected + 1 ? '' : `nothing is there up to position ${position - 1}, and `;
  return { position: expected, rule: 'missing', message: `${gap}the next record is ${id} at ${position}` };
}

function unlinked({ head, checkpoint }: ChainCheck, { position, previous, id }: ChainLink): Flaw | null {
  const before = head ?? (position === 1 ? null : checkpoint);
  if (previous === (before?.hash ?? null)) return null;
  if (before === null) return { position, rule: 'altered', message: `the first record ${id} follows another one` };
  const message = `the record there has a hash of its own, and is not the one that ${id} at ${position} follows`;
  return { position: before.position, rule: 'replaced', message };
}

function altered(link: ChainLink, sha256: Sha256): Flaw | null {
  const flaw = (message: string): Flaw => ({ position: link.position, rule: 'altered', message });
  if (recordHash(link, sha256) !== link.hash) return flaw(`the record ${link.id} does not have its hash`);
  const unknown = unknownField(link);
  return unknown === null
    ? null
    : flaw(`the record ${link.id} has the field ${JSON.stringify(unknown)}, which no record has`);
}

/** A reader of the export could take a field that this service never writes for a part of the record. */
function unknownField(link: ChainLink): string | null {
  const entry = Object(link['entry']) as object;
  const kind = AuditEntry.options.find(({ shape }) => 'kind' in entry && shape.kind.value === entry.kind);
  const known = [Object.keys(AuditRecord.shape), Object.keys(kind?.shape ?? {})];
  const foreign = [link, entry].flatMap((fields, at) =>
    Object.keys(fields).filter((name) => known[at]?.includes(name) !== true),
  );
  return foreign[0]?.slice(0, MAX_NAME_CHARS) ?? null;
}

const MAX_NAME_CHARS = 64;

function notTheCheckpoint({ checkpoint }: ChainCheck, { position, hash }: ChainLink): Flaw | null {
  if (checkpoint === null || position !== checkpoint.position || hash === checkpoint.hash) return null;
  return { position, rule: 'not the checkpoint', message: 'the record is consistent, and another one than was kept' };
}
