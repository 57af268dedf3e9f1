/** A merge patch on metadata. */
import { MAX_PAIRS, TOO_MANY_PAIRS, type Metadata, type MetadataPatch } from '#contract/metadata.ts';
import { refuse } from '#core/ports/errors.ts';

export const METADATA_TOO_LARGE = refuse('invalid_request_error', `metadata: ${TOO_MANY_PAIRS}`);

/** Null when too many pairs would be left, and not the refusal: metadata may have any keys, also those of a refusal. */
export function patchMetadata(metadata: Metadata, patch: MetadataPatch | null | undefined): Metadata | null {
  const merged = Object.entries({ ...metadata, ...patch });
  const kept = merged.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  return kept.length > MAX_PAIRS ? null : Object.fromEntries(kept);
}
