/**
 * Checks that exported records are those that were written. A chain is checked record by record, so an export may be
 * larger than memory. Only a head from elsewhere shows that records were removed from the end of a chain: a signed one,
 * or a checkpoint, which the customer has kept.
 */
import * as z from 'zod';
import { AuditEntry, AuditRecord, type AuditHeads } from '#contract/audit.ts';
import { recordHash } from '#core/audit/chain.ts';
import type { Sha256 } from '#core/ports/canonical-json.ts';

type SignedHead = AuditHeads['heads'][number];

export interface Checkpoint {
  readonly position: number;
  readonly hash: string;
}

/** The first fault of a chain. */
interface Flaw {
  readonly position: number;
  readonly rule:
    | 'altered'
    | 'replaced'
    | 'missing'
    | 'reordered'
    | 'repeated'
    | 'not the checkpoint'
    | 'not the signed head'
    | 'cut off'
    | 'unsigned';
  readonly message: string;
}

export interface ChainCheck {
  /** `<workspace> <chain>` */
  readonly chain: string;
  readonly checkpoint: Checkpoint | null;
  /** Signed heads that the records have not reached yet, by position. */
  readonly ahead: readonly Checkpoint[];
  /** Whether a signed head says where the chain ends. */
  readonly isSigned: boolean;
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
  return { chain, checkpoint, ahead: [], isSigned: false, records: 0, head: null, flaw: null };
}

/** The chain must contain the head. An export has its heads before the records that reach them. */
export function expectHead(check: ChainCheck, signed: SignedHead): ChainCheck {
  const { position, hash } = signed;
  const last = check.head?.position ?? 0;
  if (check.flaw !== null || position === 0 || hash === null) return { ...check, isSigned: true };
  if (position > last) {
    const ahead = [...check.ahead, { position, hash }].toSorted((a, b) => a.position - b.position);
    return { ...check, isSigned: true, ahead };
  }
  const isLast = position === last && check.head?.hash === hash;
  if (isLast) return { ...check, isSigned: true };
  const message = position === last ? OTHER : `the signed head comes after the record at ${last}: take it with --heads`;
  return { ...check, isSigned: true, flaw: { position, rule: 'not the signed head', message } };
}

const OTHER = 'the record is consistent, and another one than was signed';

export function checkNext(check: ChainCheck, link: ChainLink, sha256: Sha256): ChainCheck {
  const records = check.records + 1;
  if (check.flaw !== null) return { ...check, records, flaw: hindsight(check.flaw, link) };
  const flaw = flawOf(check, link, sha256);
  const ahead = check.ahead.filter(({ position }) => position > link.position);
  return {
    ...check,
    records,
    flaw,
    ahead,
    head: flaw === null ? { position: link.position, hash: link.hash } : check.head,
  };
}

export function endCheck(check: ChainCheck): ChainCheck {
  const { flaw, head, checkpoint, ahead } = check;
  if (flaw !== null) return check;
  const last = head?.position ?? 0;
  const cutOff = (had: number, when: string): ChainCheck => {
    const message = `the chain ends at position ${last}, and had ${had} ${had === 1 ? 'record' : 'records'} ${when}`;
    return { ...check, flaw: { position: last + 1, rule: 'cut off', message } };
  };
  const signed = ahead.at(-1);
  if (signed !== undefined) return cutOff(signed.position, 'when its head was signed');
  return checkpoint !== null && last < checkpoint.position ? cutOff(checkpoint.position, 'at the checkpoint') : check;
}

/** For a chain of which no head is known, an export cannot show where it ends. */
export function demandHead(check: ChainCheck): ChainCheck {
  if (check.flaw !== null || check.isSigned || check.checkpoint !== null) return check;
  const position = (check.head?.position ?? 0) + 1;
  const message = 'the export has no signed head of this chain, so records may be missing at its end';
  return { ...check, flaw: { position, rule: 'unsigned', message } };
}

/** A record that seemed missing and comes later was moved. */
function hindsight(flaw: Flaw, { position, id }: ChainLink): Flaw {
  if (flaw.rule !== 'missing' || position !== flaw.position) return flaw;
  return { position, rule: 'reordered', message: `the record ${id} comes after later ones` };
}

function flawOf(check: ChainCheck, link: ChainLink, sha256: Sha256): Flaw | null {
  return (
    outOfPlace(check, link) ??
    unlinked(check, link) ??
    altered(link, sha256) ??
    notTheCheckpoint(check, link) ??
    notSigned(check, link)
  );
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

function notSigned({ ahead }: ChainCheck, { position, hash }: ChainLink): Flaw | null {
  const signed = ahead.filter((head) => head.position === position);
  if (signed.every((head) => head.hash === hash)) return null;
  return { position, rule: 'not the signed head', message: OTHER };
}

function notTheCheckpoint({ checkpoint }: ChainCheck, { position, hash }: ChainLink): Flaw | null {
  if (checkpoint === null || position !== checkpoint.position || hash === checkpoint.hash) return null;
  return { position, rule: 'not the checkpoint', message: 'the record is consistent, and another one than was kept' };
}
