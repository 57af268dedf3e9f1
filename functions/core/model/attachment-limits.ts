/** What the model's provider takes of images and documents. */
import { habitsOf, isBedrockId } from '#core/model/habits.ts';

/** Of one image, in base64. */
export const MAX_IMAGE_CHARS = 5 * 1024 * 1024;
export const MAX_SIDE_PX = 8000;
export const MAX_IMAGES = 100;
/** More images than this must all be smaller than `MAX_SIDE_AMONG_MANY_PX`. */
export const MANY_IMAGES = 20;
export const MAX_SIDE_AMONG_MANY_PX = 2000;

/** Of all attachments in base64: the provider takes 32 MB in one request, and texts need room beside them. */
const MAX_ATTACHED_CHARS = 24_000_000;
/** Bedrock takes 20 MB. */
const MAX_BEDROCK_CHARS = 14_000_000;

export function maxAttachedChars(model: string): number {
  return isBedrockId(model) ? MAX_BEDROCK_CHARS : MAX_ATTACHED_CHARS;
}

/** Of all PDFs in a request. */
export function maxPages(model: string): number {
  return habitsOf(model).windowTokens > 200_000 ? 600 : 100;
}

export function base64Chars(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}
