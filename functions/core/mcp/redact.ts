/**
 * Takes secrets out of what a server says (governance T1): a server may echo the token that it was called with, plain
 * or in a coat. Every coat is looked for that a program puts on without meaning to hide something, and backwards. One
 * that means to hide it has more ways than can be looked for: smaller pieces, one coat over another, a cipher.
 */

export interface Redacted {
  readonly text: string;
  readonly found: boolean;
}

/** Shorter ones are in half of all texts by chance. */
const MIN_CHARS = 4;
/** From here on half of a secret is worth something, and neither it nor what it is backwards is found by chance. */
const MIN_CHARS_OF_HALVES = 16;

/** `marker` goes where a secret was; it must not contain one. */
export function redact(text: string, secretsInUse: readonly string[], marker: string): Redacted {
  // The longest first: what is left of a long one would hide it from the search.
  const forms = [...new Set(secretsInUse.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
  const redacted = forms.reduce((rest, form) => rest.replaceAll(form, () => marker), text);
  return { text: redacted, found: redacted !== text };
}

function formsOf(secret: string): readonly string[] {
  if (secret.length < MIN_CHARS) return [];
  if (secret.length < MIN_CHARS_OF_HALVES) return [secret, ...coatsOf(secret.toWellFormed())];
  const middle = Math.floor(secret.length / 2);
  const parts = [secret, secret.slice(0, middle), secret.slice(-middle)];
  return parts.flatMap((part) => [part, backwards(part), ...coatsOf(part.toWellFormed())]);
}

function backwards(part: string): string {
  return [...part].toReversed().join('');
}

function coatsOf(part: string): readonly string[] {
  const url = encodeURIComponent(part);
  const form = new URLSearchParams({ part }).toString().slice('part='.length);
  const urls = [url, form].flatMap((coat) => [coat, coat.replaceAll(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase())]);
  const json = JSON.stringify(part).slice(1, -1);
  const hex = Buffer.from(part, 'utf8').toString('hex');
  return [...urls, json, json.replaceAll('/', String.raw`\/`), hex, hex.toUpperCase(), ...base64Of(part)];
}

/** Wherever it begins in the bytes that were encoded: each of three beginnings looks different. */
function base64Of(part: string): readonly string[] {
  const bytes = Buffer.from(part, 'utf8');
  return [0, 1, 2].flatMap((before) => {
    const coded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64url');
    // A character that also carries bits of a neighbour is another one there.
    const first = Math.ceil((before * 8) / 6);
    const own = coded.slice(first, Math.floor(((before + bytes.length) * 8) / 6));
    return own.length < MIN_CHARS ? [] : [own, own.replaceAll('-', '+').replaceAll('_', '/')];
  });
}
