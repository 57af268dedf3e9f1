import { randomInt } from 'node:crypto';
import * as z from 'zod';

/** What the template may ask of a password; an option that is not known here must not be ignored. */
const GenerateSecretString = z.strictObject({
  PasswordLength: z.coerce.number().int().min(4).default(32),
  ExcludePunctuation: z.boolean().default(false),
});

const LOWERCASE = 'abcdefghijklmnopqrstuvwxyz';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

/** A password as `GenerateSecretString` asks for it, with each kind of character. */
export function generateSecret(options: unknown): string {
  const { PasswordLength: length, ExcludePunctuation } = GenerateSecretString.parse(options);
  const alphabets = [LOWERCASE, LOWERCASE.toUpperCase(), '0123456789', ...(ExcludePunctuation ? [] : [PUNCTUATION])];
  const all = alphabets.join('');
  for (;;) {
    const password = Array.from({ length }, () => all.charAt(randomInt(all.length)));
    if (alphabets.every((alphabet) => password.some((one) => alphabet.includes(one)))) return password.join('');
  }
}
