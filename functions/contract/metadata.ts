import * as z from 'zod';

export const MAX_PAIRS = 16;
export const TOO_MANY_PAIRS = `must have at most ${MAX_PAIRS} pairs`;

const Key = z.string().min(1).max(64);
const Value = z.string().max(512);

/** Up to 16 pairs, keys of 1–64 and values of up to 512 characters. */
export const Metadata = z
  .record(Key, Value)
  .refine((pairs) => Object.keys(pairs).length <= MAX_PAIRS, TOO_MANY_PAIRS)
  .meta({ id: 'Metadata' });
export type Metadata = z.infer<typeof Metadata>;

/** A merge patch: a string upserts, null deletes, what is not named stays. */
export const MetadataPatch = z.record(Key, Value.nullable()).meta({ id: 'MetadataPatch' });
export type MetadataPatch = z.infer<typeof MetadataPatch>;
