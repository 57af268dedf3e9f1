/** What Node.js gives: clock, random ids, waiting and digests. */
import { randomFillSync, createHash, createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { EventId } from '#contract/ids.ts';
import type { Pause, Stamp } from '#core/ports/stamp.ts';
import type { Hmac, Sha256 } from '#core/ports/canonical-json.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TOKEN_LENGTH = 22;
/** 62 · 4: bytes from here on would favour the alphabet's beginning. */
const FAIR_BYTES = 248;

/** `01` and 22 base-62 characters: 131 random bits. */
export function newToken(): string {
  let token = '01';
  const bytes = Buffer.alloc(TOKEN_LENGTH * 2);
  while (token.length < TOKEN_LENGTH + 2) {
    for (const byte of randomFillSync(bytes)) {
      if (byte < FAIR_BYTES && token.length < TOKEN_LENGTH + 2) token += ALPHABET[byte % ALPHABET.length];
    }
  }
  return token;
}

export function createStamp(): Stamp {
  return {
    now: () => new Date().toISOString(),
    eventId: () => EventId.parse(`sevt_${newToken()}`),
  };
}

export const pause: Pause = (ms) => sleep(ms);

export const sha256: Sha256 = (text) => createHash('sha256').update(text).digest('hex');

export const hmac: Hmac = (key, text) => createHmac('sha256', key).update(text).digest('hex');
