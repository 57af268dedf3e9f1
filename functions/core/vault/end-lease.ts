/** The end of a refresh's lease: what came of it is written to the row as that is by then. */
import { Fault } from '#core/ports/errors.ts';
import type { Saved } from '#core/ports/records.ts';
import type { Pause, Stamp } from '#core/ports/stamp.ts';
import type { CredentialPlace, CredentialRecords, StoredCredential } from '#core/ports/vault-records.ts';

/** A row as it was when its lease was taken. */
export interface LeasedRow {
  readonly stored: StoredCredential;
  readonly place: CredentialPlace;
  readonly owner: string;
  readonly until: string;
}

export interface Ending {
  readonly credentials: Pick<CredentialRecords, 'find'>;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly pause: Pause;
}

type LeaseEnd =
  /** On the row as it was before. */
  | { readonly status: 'saved'; readonly row: StoredCredential }
  /** By somebody else, or by our own write whose answer was lost. Null: the row is gone. */
  | { readonly status: 'over'; readonly row: StoredCredential | null };

const FIRST_PAUSE_MS = 100;
const MOST_PAUSE_MS = 1000;

/**
 * A client that renames a credential meanwhile moves its version on and must not cost it its tokens: while the lease and
 * the refresh token are still the ones of this refresh, the write is repeated on the row that is there now.
 */
export async function endLease(
  world: Ending,
  leased: LeasedRow,
  write: (row: StoredCredential) => Promise<Saved>,
): Promise<LeaseEnd> {
  for (let row = leased.stored; ;) {
    const before = row;
    if ((await persistently(world, leased.until, () => write(before))) === 'saved') return { status: 'saved', row };
    const now = await persistently(world, leased.until, () => world.credentials.find(leased.place));
    const isOurs = now !== null && now.lease?.owner === leased.owner && now.credential.archived_at === null;
    const isSameToken = now?.secrets.refresh_token === leased.stored.secrets.refresh_token;
    if (!isOurs || !isSameToken) return { status: 'over', row: now };
    row = now;
  }
}

/** Again after faults that can pass, until the lease may be somebody else's. Throws the last of them. */
export async function persistently<Value>(
  { stamp, pause }: Pick<Ending, 'stamp' | 'pause'>,
  until: string,
  work: () => Promise<Value>,
): Promise<Value> {
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MOST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      const mayPass = error instanceof Fault && error.retryable;
      if (!mayPass || Date.parse(stamp.now()) + pauseMs >= Date.parse(until)) throw error;
    }
    await pause(pauseMs);
  }
}
