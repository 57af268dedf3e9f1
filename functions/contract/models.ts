/** Models. */
import * as z from 'zod';
import { Instant } from './ids.ts';
import { DEFAULT_LIMIT, limitUpTo } from './pages.ts';

const MAX_MODELS_LIMIT = 1000;

export const ModelLifecycle = z.enum(['active', 'deprecated', 'retired']);

export const ModelInfo = z
  .object({
    id: z.string(),
    type: z.literal('model'),
    display_name: z.string(),
    created_at: Instant,
    lifecycle: ModelLifecycle,
    line: z.enum(['haiku', 'sonnet', 'opus', 'fable', 'mythos']).nullable(),
    deprecated_at: Instant.nullable(),
    retires_at: Instant.nullable(),
    max_input_tokens: z.int().min(1).nullable(),
    max_tokens: z.int().min(1).nullable(),
    /** Null when a server does not keep them. */
    capabilities: z.null(),
  })
  .meta({ id: 'ModelInfo' });
export type ModelInfo = z.infer<typeof ModelInfo>;

/** How many seconds a model may send nothing while it answers; `models` has those of single models, by their ids. */
export const SilenceSeconds = z.object({ default: z.int(), models: z.record(z.string(), z.int()) });
export type SilenceSeconds = z.infer<typeof SilenceSeconds>;

/** Model ids are the cursors of this list alone. */
export const ModelPage = z.object({
  data: z.array(ModelInfo),
  has_more: z.boolean(),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
});
export type ModelPage = z.infer<typeof ModelPage>;

const ModelIdCursor = z.string().min(1).max(256).optional();

export const ModelsQuery = z
  .strictObject({
    limit: limitUpTo(MAX_MODELS_LIMIT).default(DEFAULT_LIMIT),
    after_id: ModelIdCursor,
    before_id: ModelIdCursor,
    lifecycle: z.array(ModelLifecycle).min(1).max(3).default(['active', 'deprecated']),
    beta: z.string().optional(),
  })
  .refine((query) => query.after_id === undefined || query.before_id === undefined, {
    path: ['before_id'],
    message: 'cannot be combined with after_id',
  });
export type ModelsQuery = z.infer<typeof ModelsQuery>;
