/** A model as it is saved: effort and speed decided. */
import type { Model, ModelInput } from '#contract/agents.ts';

/** The level that models think at when nobody says otherwise. No model in `models.ts` differs yet. */
const DEFAULT_EFFORT = 'high';

export function resolveModel(input: ModelInput): Model {
  const given = typeof input === 'string' ? { id: input } : input;
  const effort = typeof given.effort === 'string' ? given.effort : given.effort?.type;
  return {
    id: given.id,
    effort: { type: effort ?? DEFAULT_EFFORT },
    speed: given.speed ?? 'standard',
    ...(given.inference_geo === undefined || given.inference_geo === null
      ? {}
      : { inference_geo: given.inference_geo }),
  };
}
