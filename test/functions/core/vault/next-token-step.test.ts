import { describe, expect, it } from 'vitest';
import type { Instant } from '#contract/ids.ts';
import { nextTokenStep, type TokenStep } from '#core/vault/next-token-step.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';
import { asNew, aCredential, AT, aVault, OAUTH } from '#test/ports/vaults.fixture.ts';

const inSeconds = (seconds: number): Instant => new Date(Date.parse(AT) + seconds * 1000).toISOString();

/** A credential that was written at AT, with a token that lasts `lifetime` seconds, or an unknown time. */
function lasting(lifetime: number | null, changed: Partial<StoredCredential> = {}): StoredCredential {
  const expires_at = lifetime === null ? null : inSeconds(lifetime);
  const stored = asNew(aCredential(aVault().id, { ...OAUTH, expires_at } as typeof OAUTH));
  return { ...stored, state: 'ok', ...changed };
}

const stepAt = (stored: StoredCredential, seconds: number, refused: number | null = null): TokenStep['do'] =>
  nextTokenStep(stored, inSeconds(seconds), refused).do;

describe('the next step for a token', () => {
  it.each([
    { lifetime: 7200, margin: 300 },
    { lifetime: 1000, margin: 200 },
    { lifetime: 300, margin: 60 },
    { lifetime: 60, margin: 30 },
  ])('with a lifetime of $lifetime s is to refresh it from $margin s before its end', ({ lifetime, margin }) => {
    const stored = lasting(lifetime);
    expect(stepAt(stored, lifetime - margin - 0.001)).toBe('use');
    expect(stepAt(stored, lifetime - margin)).toBe('refresh');
  });

  it('of unknown lifetime is to refresh it after an hour, and to use it as long as that fails', () => {
    expect(stepAt(lasting(null), 3299)).toBe('use');
    expect(stepAt(lasting(null), 3300)).toBe('refresh');
    expect(stepAt(lasting(null, { cooldownUntil: inSeconds(9000), failures: 1 }), 8000)).toBe('use');
  });

  it('that another instance refreshes is to use it while valid, else to wait until the lease ends', () => {
    const stored = lasting(60, { lease: { owner: 'other', until: inSeconds(70) } });
    expect(stepAt(stored, 59)).toBe('use');
    expect(stepAt(stored, 60)).toBe('wait');
    expect(stepAt(stored, 59, 1)).toBe('wait');
    expect(stepAt(stored, 70)).toBe('refresh');
  });

  it('in a cool-down is to use it while valid, else to report when to try again', () => {
    const stored = lasting(60, { cooldownUntil: inSeconds(90), failures: 1 });
    expect(stepAt(stored, 59)).toBe('use');
    expect(nextTokenStep(stored, inSeconds(60), null)).toMatchObject({
      do: 'stop',
      answer: { status: 'unavailable', retryAfterMs: 30_000 },
    });
    expect(stepAt(stored, 90)).toBe('refresh');
  });

  it('that was refused is to refresh that version, and to use any other version', () => {
    expect(stepAt(lasting(3600), 0, 1)).toBe('refresh');
    expect(stepAt(lasting(3600, { version: 2 }), 0, 1)).toBe('use');
  });

  it.each<[string, Partial<StoredCredential>]>([
    ['revoked, though its token has time left', { state: 'needs_reauth' }],
    ['archived', { credential: { ...lasting(3600).credential, archived_at: AT } }],
    [
      'an environment variable',
      {
        credential: {
          ...lasting(3600).credential,
          auth: {
            type: 'environment_variable',
            secret_name: 'A',
            networking: { type: 'unrestricted' },
            injection_location: { header: true, body: true },
          },
        },
      },
    ],
  ])('of a credential that is %s is to stop', (_name, changed) => {
    expect(nextTokenStep(lasting(3600, changed), AT, null)).toMatchObject({
      do: 'stop',
      answer: { status: 'needs_reauth', retryAfterMs: null },
    });
  });

  it('without a refresh token is to use it until its end, and then to stop', () => {
    const stored = lasting(60, { secrets: { access_token: 'sm:1' } });
    expect(stepAt(stored, 59)).toBe('use');
    expect(stepAt(stored, 60)).toBe('stop');
    expect(stepAt(stored, 0, 1)).toBe('stop');
  });
});
