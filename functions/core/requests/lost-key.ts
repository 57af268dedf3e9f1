/** The one key that objects made from a request cannot have: the schemas leave it out, and the client would not know. */
const LOST = '__proto__';

type Place = { readonly path: string; readonly node: object };

/** The path of the first one. Level by level, not by recursion: JSON may be nested deeper than the stack. */
export function findLostKey(value: unknown): string | null {
  for (let level = objectsOf({ '': value }, ''); level.length > 0;) {
    const found = level.find(({ node }) => Object.hasOwn(node, LOST));
    if (found !== undefined) return `${found.path}${LOST}`;
    level = level.flatMap(({ path, node }) => objectsOf(node, path));
  }
  return null;
}

function objectsOf(parent: object, path: string): readonly Place[] {
  return Object.entries(parent).flatMap(([key, node]: [string, unknown]) =>
    typeof node === 'object' && node !== null ? [{ path: key === '' ? path : `${path}${key}.`, node }] : [],
  );
}
