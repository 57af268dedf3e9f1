/**
 * The real API refuses a thinking block that came back changed. The stand-in's signature is a checksum of the text, so
 * that it can refuse the same: a block that a replay has trimmed, re-encoded or moved to another text.
 */
const PREFIX = 'standin.';

export function signThinking(thinking: string): string {
  return PREFIX + fnv1a(thinking);
}

/** A signature that another model made cannot be judged here, and passes. */
export function isSignatureOf(signature: string, thinking: string): boolean {
  return !signature.startsWith(PREFIX) || signature === signThinking(thinking);
}

/** Not SHA-256: every thinking block of a long conversation is checked again with every request. */
function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
