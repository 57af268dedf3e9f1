/** Seals by HMAC-SHA256 with a secret that the deployment has generated. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SealPurpose, Seals } from '#core/ports/login.ts';

/** A shorter secret could be guessed. */
const MIN_SECRET_CHARS = 32;

/** `secret` is called once, for the first seal; after a failure it is called again. */
export function createSeals(secret: () => Promise<string>): Seals {
  let known: Promise<string> | null = null;

  async function key(): Promise<string> {
    known ??= secret();
    try {
      return await known;
    } catch (error) {
      known = null;
      throw error;
    }
  }

  async function hash(purpose: SealPurpose, text: string): Promise<Buffer> {
    const secretText = await key();
    if (secretText.length < MIN_SECRET_CHARS) {
      throw new Error(`the signing secret must have at least ${MIN_SECRET_CHARS} characters`);
    }
    return createHmac('sha256', secretText).update(`${purpose}\0${text}`).digest();
  }

  return {
    seal: async (purpose, text) => (await hash(purpose, text)).toString('base64url'),
    async isSeal(purpose, text, seal) {
      const expected = await hash(purpose, text);
      const given = Buffer.from(seal, 'base64url');
      // Base64url has several spellings of one hash; only this service's spelling is valid.
      return (
        given.length === expected.length && timingSafeEqual(given, expected) && given.toString('base64url') === seal
      );
    },
  };
}
