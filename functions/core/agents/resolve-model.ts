/** A model as it is saved: effort and speed decided. */
import type { Model, ModelInput } from '#contract/agents.ts';
import { defaultEffort } from '#core/model/check.ts';

type Effort = Model['effort']['type'];

export function resolveModel(input: ModelInput): Model {
  const given = named(input);
  return modelWith(given, effortOf(given) ?? defaultEffort(given.id));
}

/** Replaces the whole model, but for the effort: the level stays while the model does, unless another is given. */
export function replaceModel(saved: Model, input: ModelInput): Model {
  const given = named(input);
  const kept = given.id === saved.id ? saved.effort.type : defaultEffort(given.id);
  return modelWith(given, effortOf(given) ?? kept);
}

/** A session's model thinks at its default level, whatever the override says. */
export function overrideModel(input: ModelInput): Model {
  const given = named(input);
  return modelWith(given, defaultEffort(given.id));
}

type Named = Exclude<ModelInput, string>;

function named(input: ModelInput): Named {
  return typeof input === 'string' ? { id: input } : input;
}

function effortOf({ effort }: Named): Effort | undefined {
  return typeof effort === 'string' ? effort : effort?.type;
}

function modelWith({ id, speed, inference_geo }: Named, effort: Effort): Model {
  return {
    id,
    effort: { type: effort },
    speed: speed ?? 'standard',
    ...(inference_geo === undefined || inference_geo === null ? {} : { inference_geo }),
  };
}
