/** Verifies all chains of an export, record by record, in the order of the export. */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { SignedAuditHeads } from '#contract/audit.ts';
import { signedText } from '#core/audit/signed-text.ts';
import {
  ChainLink,
  checkNext,
  demandHead,
  endCheck,
  expectHead,
  startCheck,
  type ChainCheck,
  type Checkpoint,
} from '#core/audit/verify.ts';

export interface Exported {
  /** The place in the export, to print: `line 12`. */
  readonly where: string;
  /** A record, or undefined for a line that is no JSON. */
  readonly value?: unknown;
  /** Signed heads. */
  readonly heads?: unknown;
  /** The chain whose records come with the heads; undefined for all. */
  readonly of?: unknown;
  /** The heads are of an earlier export. */
  readonly isEarlier?: boolean;
  /** A field that an object in it has twice. */
  readonly repeated?: string | null;
}

interface Expected {
  /** By chain. A chain with a checkpoint and without records in the export is cut off. */
  readonly checkpoints: ReadonlyMap<string, Checkpoint>;
  /** The chains that the export must have. */
  readonly chains: readonly string[];
  /** SHA-256 of the deployment's public key; null takes the key of the export. */
  readonly key: string | null;
  /** Heads of an export that is made now are not older; null for saved exports. */
  readonly signedAfter: string | null;
}

export interface Verification {
  readonly checks: readonly ChainCheck[];
  /** The places of what is no record. */
  readonly unreadable: readonly string[];
  /** What is wrong with what is no clear record, by place: a field twice, a signature. */
  readonly ambiguous: readonly string[];
  /** The newest signed heads. */
  readonly signed: SignedAuditHeads | null;
}

interface Reading {
  readonly checks: Map<string, ChainCheck>;
  readonly unreadable: string[];
  readonly ambiguous: string[];
  signed: SignedAuditHeads | null;
}

export async function verifyExport(exported: AsyncIterable<Exported>, expected: Expected): Promise<Verification> {
  const reading: Reading = { checks: new Map(), unreadable: [], ambiguous: [], signed: null };
  for await (const one of exported) {
    const { where, repeated = null } = one;
    if (repeated !== null) reading.ambiguous.push(`${where}: has the field ${JSON.stringify(repeated)} twice`);
    if (one.heads === undefined) takeRecord(reading, one, expected);
    else takeHeads(reading, one, expected);
  }
  return { ...reading, checks: ended(reading.checks, expected) };
}

function takeHeads(reading: Reading, { where, heads: value, of, isEarlier }: Exported, expected: Expected): void {
  const heads = judgeHeads(value, reading.signed, isEarlier === true ? { ...expected, signedAfter: null } : expected);
  if (typeof heads === 'string') return void reading.ambiguous.push(`${where}: ${heads}`);
  for (const head of heads.heads) {
    const counts = expected.chains.includes(head.chain) && (of === undefined || of === head.chain);
    const name = `${heads.workspace} ${head.chain}`;
    if (counts) reading.checks.set(name, expectHead(checkOf(reading, name, expected), head));
  }
  reading.signed = reading.signed !== null && reading.signed.at > heads.at ? reading.signed : heads;
}

function takeRecord(reading: Reading, { where, value }: Exported, expected: Expected): void {
  const link = ChainLink.safeParse(value).data;
  if (link === undefined) return void reading.unreadable.push(where);
  const name = `${link.workspace} ${link.chain}`;
  // The value itself, because the parser drops a field with the name `__proto__`.
  reading.checks.set(name, checkNext(checkOf(reading, name, expected), value as ChainLink, sha256));
}

function checkOf({ checks }: Pick<Reading, 'checks'>, name: string, { checkpoints }: Expected): ChainCheck {
  const [, chain = ''] = name.split(' ');
  return checks.get(name) ?? startCheck(name, checkpoints.get(chain) ?? null);
}

/** Each workspace must have all chains, and a chain without records needs a head that says so. */
function ended(checks: Map<string, ChainCheck>, expected: Expected): readonly ChainCheck[] {
  const { checkpoints, chains } = expected;
  const workspaces = new Set([...checks.keys()].map((name) => name.split(' ')[0] ?? ''));
  if (workspaces.size === 0) {
    return [...checkpoints].map(([chain, checkpoint]) => endCheck(startCheck(`- ${chain}`, checkpoint)));
  }
  const names = [...workspaces].flatMap((workspace) => chains.map((chain) => `${workspace} ${chain}`));
  const all = new Set([...checks.keys(), ...names]);
  return [...all].map((name) => demandHead(endCheck(checkOf({ checks }, name, expected))));
}

/** The heads, or what is wrong with them. */
function judgeHeads(value: unknown, before: SignedAuditHeads | null, expected: Expected): SignedAuditHeads | string {
  const heads = SignedAuditHeads.safeParse(value).data;
  if (heads === undefined) return 'has heads that this service does not write';
  if (!hasSignature(heads)) return 'the heads do not have their signature';
  const key = fingerprint(heads);
  if (expected.key !== null && key !== expected.key) return `the heads are signed with another key: ${key}`;
  if (before !== null && fingerprint(before) !== key) return 'the heads are signed with another key than those before';
  const { signedAfter } = expected;
  if (signedAfter !== null && heads.at < signedAfter) return `the heads are old: they were signed at ${heads.at}`;
  return heads;
}

function hasSignature(heads: SignedAuditHeads): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(heads.public_key, 'base64'), format: 'der', type: 'spki' });
    const isCurve = key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
    return isCurve && verify('sha256', Buffer.from(signedText(heads)), key, Buffer.from(heads.signature, 'base64'));
  } catch {
    // A text that is no key has signed nothing.
    return false;
  }
}

export function fingerprint({ public_key }: SignedAuditHeads): string {
  return createHash('sha256').update(Buffer.from(public_key, 'base64')).digest('hex');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** `no export` means input without any record. What is no record among records may be a damaged one: not intact. */
export type Verdict = 'intact' | 'not intact' | 'nothing' | 'no export';

export function verdictOf({ checks, unreadable, ambiguous, signed }: Verification): Verdict {
  if (ambiguous.length > 0 || checks.some(({ flaw }) => flaw !== null)) return 'not intact';
  if (checks.every(({ records }) => records === 0)) {
    return unreadable.length === 0 || signed !== null ? 'nothing' : 'no export';
  }
  return unreadable.length === 0 ? 'intact' : 'not intact';
}
