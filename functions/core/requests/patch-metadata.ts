/** A merge patch on metadata. */
import { MAX_PAIRS, type Metadata, type MetadataPatch } from '#contract/metadata.ts';

/** Null when too many pairs would be left. Keys are the client's, so a refusal could not be told from metadata. */
export function patchMetadata(metadata: Metadata, patch: MetadataPatch | null | undefined): Metadata | null {
  const merged = Object.entries({ ...metadata, ...patch });
  const kept = merged.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  return kept.length > MAX_PAIRS ? null : Object.fromEntries(kept);
}
