/** What the model is told must be Unicode: its provider refuses every request with half a surrogate pair in it. */
import * as z from 'zod';

export const MALFORMED = 'must be well-formed Unicode';

export function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}

export const wellFormed = (maxChars: number) => z.string().max(maxChars).refine(isWellFormed, MALFORMED);
