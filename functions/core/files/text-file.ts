/**
 * The text of a file that a client names: bytes that the model would read as something else are refused, not repaired. Null
 * for bytes that are no UTF-8, and for a text with a zero byte, which no text file has. A byte order mark is no part of it.
 */
export function textOf(bytes: Uint8Array): string | null {
  if (bytes.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
