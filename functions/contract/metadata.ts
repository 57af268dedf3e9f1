import * as z from 'zod';

const MAX_PAIRS = 16;

/** Up to 16 pairs, keys of 1–64 and values of up to 512 characters (contract §2). */
export const Metadata = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine((pairs) => Object.keys(pairs).length <= MAX_PAIRS, `must have at most ${MAX_PAIRS} pairs`)
  .meta({ id: 'Metadata' });
export type Metadata = z.infer<typeof Metadata>;
