/** The contract of the RefreshLeases port; every adapter passes it. */
import { describe, expect, it } from 'vitest';
import type { CredentialPlace, CredentialRecords, NewCredential, RefreshLeases } from '#core/ports/vault-records.ts';
import { aCredential, asNew, AT, aVault, LATER } from '#test/ports/vaults.fixture.ts';
import { credentialPlace } from '#core/ports/vault-records.ts';

const SOON = '2026-11-21T10:00:15.000Z';
const MUCH_LATER = '2026-11-21T12:00:00.000Z';
const ROTATION = { secrets: { access_token: 'sm:2' }, expiresAt: MUCH_LATER, grantedScopes: null, at: SOON };

/** Rows in which the port's writes can be read. */
export interface LeaseWorld {
  readonly leases: RefreshLeases;
  readonly credentials: Pick<CredentialRecords, 'find' | 'replace' | 'archive' | 'remove'>;
  save(created: NewCredential): Promise<void>;
}

export function refreshLeasesSuite(world: string, open: () => LeaseWorld): void {
  describe(`refresh leases ${world}`, () => {
    async function saved() {
      const { leases, credentials, save } = open();
      const created = aCredential(aVault().id);
      await save(created);
      const take = (place: CredentialPlace, owner: string, now = AT) =>
        leases.take(place, 1, { owner, now, until: now === AT ? SOON : MUCH_LATER });
      return { leases, credentials, created, place: credentialPlace(created), take };
    }

    it('are given to one of twenty callers', async () => {
      const { credentials, place, take } = await saved();
      const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => take(place, `worker-${index}`)));
      expect(answers.filter((answer) => answer === 'taken')).toHaveLength(1);
      expect(answers.filter((answer) => answer === 'held')).toHaveLength(19);
      const owner = `worker-${answers.indexOf('taken')}`;
      expect(await credentials.find(place)).toMatchObject({ version: 1, lease: { owner, until: SOON } });
    });

    it('are given again to their holder, and to another caller after they expire', async () => {
      const { leases, credentials, place, take } = await saved();
      expect(await take(place, 'a')).toBe('taken');
      expect(await take(place, 'a')).toBe('taken');
      expect(await take(place, 'b')).toBe('held');
      expect(await take(place, 'b', SOON)).toBe('taken');
      expect(await leases.rotated(place, { version: 1, owner: 'a' }, ROTATION)).toBe('conflict');
      expect(await credentials.find(place)).toMatchObject({ version: 1, lease: { owner: 'b', until: MUCH_LATER } });
    });

    it('stay their holder’s after they expire, until another caller takes them', async () => {
      const { leases, credentials, place, take } = await saved();
      await take(place, 'a');
      expect(await leases.rotated(place, { version: 1, owner: 'a' }, { ...ROTATION, at: MUCH_LATER })).toBe('saved');
      expect(await credentials.find(place)).toMatchObject({ version: 2, lease: null });
    });

    it('end with new tokens in force', async () => {
      const { leases, credentials, created, place, take } = await saved();
      const held = { version: 1, owner: 'a' };
      expect(await leases.rotated(place, held, ROTATION)).toBe('conflict');
      await take(place, 'a');
      expect(await leases.rotated(place, held, ROTATION)).toBe('saved');
      expect(await leases.rotated(place, held, ROTATION)).toBe('conflict');
      expect(await credentials.find(place)).toEqual({
        ...asNew(created),
        credential: {
          ...created.credential,
          auth: { ...created.credential.auth, expires_at: MUCH_LATER },
          updated_at: SOON,
        },
        version: 2,
        secrets: ROTATION.secrets,
        grantedScopes: null,
      });
      expect(await take(place, 'b')).toBe('moved');
    });

    it('end with a revocation, which only new secrets undo', async () => {
      const { leases, credentials, created, place, take } = await saved();
      await take(place, 'a');
      expect(await leases.revoked(place, { version: 1, owner: 'b' })).toBe('conflict');
      expect(await leases.revoked(place, { version: 1, owner: 'a' })).toBe('saved');
      expect(await credentials.find(place)).toEqual({ ...asNew(created), version: 2, state: 'needs_reauth' });
      for (const version of [1, 2]) {
        expect(await leases.take(place, version, { owner: 'b', now: LATER, until: MUCH_LATER })).toBe('moved');
      }
      await credentials.replace({ ...asNew(created), state: 'ok', version: 3 });
      expect(await credentials.find(place)).toMatchObject({ version: 3, state: 'ok' });
    });

    it('end with a cool-down, which new tokens clear', async () => {
      const { leases, credentials, created, place, take } = await saved();
      await take(place, 'a');
      expect(await leases.failed(place, { version: 1, owner: 'b' }, { until: LATER, failures: 1 })).toBe('conflict');
      expect(await leases.failed(place, { version: 1, owner: 'a' }, { until: LATER, failures: 1 })).toBe('saved');
      expect(await credentials.find(place)).toEqual({ ...asNew(created), cooldownUntil: LATER, failures: 1 });
      expect(await take(place, 'b')).toBe('moved');
      expect(await take(place, 'b', LATER)).toBe('taken');
      await leases.rotated(place, { version: 1, owner: 'b' }, { ...ROTATION, expiresAt: null });
      expect(await credentials.find(place)).toMatchObject({
        cooldownUntil: null,
        failures: 0,
        credential: { auth: { expires_at: null } },
      });
    });

    it('survive a replacement of the row, and their holder’s write is then refused', async () => {
      const { leases, credentials, created, place, take } = await saved();
      await take(place, 'a');
      expect(await credentials.replace({ ...asNew(created), state: 'ok', version: 2 })).toBe('saved');
      expect(await leases.rotated(place, { version: 1, owner: 'a' }, ROTATION)).toBe('conflict');
      expect(await leases.rotated(place, { version: 2, owner: 'a' }, ROTATION)).toBe('saved');
    });

    it('end with an archived or deleted credential', async () => {
      const { leases, credentials, place, take } = await saved();
      await take(place, 'a');
      await credentials.archive(place, AT);
      for (const version of [1, 2]) {
        expect(await leases.rotated(place, { version, owner: 'a' }, ROTATION)).toBe('conflict');
        expect(await leases.take(place, version, { owner: 'b', now: MUCH_LATER, until: MUCH_LATER })).toBe('moved');
      }
      await credentials.remove(place);
      expect(await take(place, 'b')).toBe('moved');
      expect(await leases.failed(place, { version: 1, owner: 'a' }, { until: LATER, failures: 1 })).toBe('conflict');
      expect(await credentials.find(place)).toBeNull();
    });
  });
}
