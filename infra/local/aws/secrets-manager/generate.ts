import { randomInt } from 'node:crypto';
import * as z from 'zod';

const GenerateSecretString = z.object({
  PasswordLength: z.coerce.number().int().min(1).default(32),
  ExcludeCharacters: z.string().default(''),
  ExcludeLowercase: z.boolean().default(false),
  ExcludeNumbers: z.boolean().default(false),
  ExcludePunctuation: z.boolean().default(false),
  ExcludeUppercase: z.boolean().default(false),
  IncludeSpace: z.boolean().default(false),
  RequireEachIncludedType: z.boolean().default(true),
  SecretStringTemplate: z.string().optional(),
  GenerateStringKey: z.string().optional(),
});
type GenerateSecretString = z.infer<typeof GenerateSecretString>;

const LOWERCASE = 'abcdefghijklmnopqrstuvwxyz';
const PUNCTUATION = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';

/** A new value as `GenerateSecretString` asks for: the password, or the template's JSON with the password in it. */
export function generateSecret(options: unknown): string {
  const asked = GenerateSecretString.parse(options);
  const password = generatePassword(asked);
  if (asked.SecretStringTemplate === undefined || asked.GenerateStringKey === undefined) return password;
  return JSON.stringify({ ...JSON.parse(asked.SecretStringTemplate), [asked.GenerateStringKey]: password });
}

function generatePassword(asked: GenerateSecretString): string {
  const alphabets = [
    asked.ExcludeLowercase ? '' : LOWERCASE,
    asked.ExcludeUppercase ? '' : LOWERCASE.toUpperCase(),
    asked.ExcludeNumbers ? '' : '0123456789',
    asked.ExcludePunctuation ? '' : PUNCTUATION,
    asked.IncludeSpace ? ' ' : '',
  ]
    .map((alphabet) => [...alphabet].filter((character) => !asked.ExcludeCharacters.includes(character)).join(''))
    .filter((alphabet) => alphabet !== '');
  const all = alphabets.join('');
  if (all === '') throw new Error('GenerateSecretString excludes every character');
  const required = asked.RequireEachIncludedType ? alphabets.slice(0, asked.PasswordLength).map(oneOf) : [];
  const rest = Array.from({ length: asked.PasswordLength - required.length }, () => oneOf(all));
  return shuffled([...required, ...rest]).join('');
}

function oneOf(alphabet: string): string {
  return alphabet.charAt(randomInt(alphabet.length));
}

function shuffled(characters: readonly string[]): readonly string[] {
  return characters
    .map((character) => ({ character, order: randomInt(2 ** 32) }))
    .toSorted((left, right) => left.order - right.order)
    .map(({ character }) => character);
}
