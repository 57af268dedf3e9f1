/** JSON with sorted keys and no spaces: one text for one value, so that its hash can be compared. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`);
  return `{${fields.join(',')}}`;
}

/** Hex of the SHA-256 of a text's UTF-8 bytes. It is a port, because the core uses nothing of the platform. */
export type Sha256 = (text: string) => string;

/** Hex of the HMAC-SHA-256 of a text under a key, both as UTF-8. */
export type Hmac = (key: string, text: string) => string;
