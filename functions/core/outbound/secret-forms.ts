/**
 * The forms in which a server may echo a secret that it was called with: the encodings that programs use by habit (URL,
 * form, JSON, hex, base64), reversed text, and halves. A server that wants to hide a secret can split it smaller, encode it
 * twice or encrypt it: no search finds all of that.
 */

/** A shorter secret occurs in ordinary texts by chance. */
const MIN_CHARS = 4;
/** From this length on, half of a secret is of use to a thief, and half of it does not occur in a text by chance. */
const MIN_CHARS_OF_HALVES = 16;

export function formsOf(secret: string): readonly string[] {
  if (secret.length < MIN_CHARS) return [];
  if (secret.length < MIN_CHARS_OF_HALVES) return [secret, ...encodingsOf(secret.toWellFormed())];
  const middle = Math.floor(secret.length / 2);
  const parts = [secret, secret.slice(0, middle), secret.slice(-middle)];
  return parts.flatMap((part) => [part, backwards(part), ...encodingsOf(part.toWellFormed())]);
}

function backwards(part: string): string {
  return [...part].toReversed().join('');
}

function encodingsOf(part: string): readonly string[] {
  const url = encodeURIComponent(part);
  const form = new URLSearchParams({ part }).toString().slice('part='.length);
  const urls = [url, form].flatMap((encoded) => [
    encoded,
    encoded.replaceAll(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase()),
  ]);
  const json = JSON.stringify(part).slice(1, -1);
  const hex = Buffer.from(part, 'utf8').toString('hex');
  return [...urls, json, json.replaceAll('/', String.raw`\/`), hex, hex.toUpperCase(), ...base64Of(part)];
}

/** Base64 encodes three bytes at a time, so a part looks different for each of the three places where it may begin. */
function base64Of(part: string): readonly string[] {
  const bytes = Buffer.from(part, 'utf8');
  return [0, 1, 2].flatMap((before) => {
    const coded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64url');
    // The first and last characters also carry bits of the bytes beside the part, so they differ there.
    const first = Math.ceil((before * 8) / 6);
    const own = coded.slice(first, Math.floor(((before + bytes.length) * 8) / 6));
    return own.length < MIN_CHARS ? [] : [own, own.replaceAll('-', '+').replaceAll('_', '/')];
  });
}
