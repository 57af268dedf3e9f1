/** Finds what can still be read of secrets, and in which encoding, for tests that prove their absence. */

interface Trace {
  readonly secret: string;
  readonly coat: string;
}

/** The secrets, or halves of them, that a reader of the text could reconstruct. It shares no code with redaction. */
export function tracesIn(text: string, secrets: readonly string[]): readonly Trace[] {
  const lower = text.toLowerCase();
  // A form in small letters is found in either case; a form with capitals only as it is.
  const isIn = (form: string) => (form === form.toLowerCase() ? lower : text).includes(form);
  return secrets.flatMap((secret) =>
    Object.entries(coatsOf(secret)).flatMap(([coat, forms]) => (forms.some(isIn) ? [{ secret, coat }] : [])),
  );
}

/** The places with secrets, and the secrets in each. An empty list means that there are none. */
export function placesWith(
  secrets: readonly string[],
  places: Iterable<readonly [string, string]>,
): readonly (readonly [string, readonly Trace[]])[] {
  return [...places]
    .map(([place, text]) => [place, tracesIn(text, secrets)] as const)
    .filter(([, traces]) => traces.length > 0);
}

function coatsOf(secret: string): Readonly<Record<string, readonly string[]>> {
  const middle = Math.floor(secret.length / 2);
  return {
    plain: [secret],
    'first half': [secret.slice(0, middle)],
    'second half': [secret.slice(middle)],
    reversed: [[...secret].toReversed().join('')],
    letters: [[...secret].join(' ')],
    hex: [Buffer.from(secret).toString('hex')],
    base64: [0, 1, 2].flatMap((before) => base64Of(secret, before)),
  };
}

/** The characters that depend on the secret only, when this many bytes stand before it. */
function base64Of(secret: string, before: number): readonly string[] {
  const coded = Buffer.from(`${'x'.repeat(before)}${secret}`).toString('base64url');
  const own = coded.slice(before + 1, -2);
  return [...new Set([own, own.replaceAll('-', '+').replaceAll('_', '/')])];
}
