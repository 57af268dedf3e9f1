/** Finds a field that an object of a JSON text has twice: programs differ in which of the two they read. */

/** The end of a string is optional, so that no text is read more than once. In JSON it is always there. */
const TOKEN = /"(?:[^"\\]|\\.)*"?|[{}[\]:,]/g;

/** The first such field; null when there is none. The text is JSON. */
export function repeatedField(text: string): string | null {
  const open: (Set<string> | null)[] = [];
  let before = '';
  for (const [token] of text.matchAll(TOKEN)) {
    const fields = open.at(-1) ?? null;
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token.startsWith('"') && fields !== null && before !== ':') {
      // A field may be spelled with escapes.
      const name = JSON.parse(token) as string;
      if (fields.has(name)) return name;
      fields.add(name);
    }
    before = token;
  }
  return null;
}
