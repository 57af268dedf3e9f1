/** What a known model does not do, told when the agent is saved rather than at its first turn. */
import type { Model } from '#contract/agents.ts';
import { habitsOf, isKnown, isBedrockId, modelName } from '#core/model/habits.ts';
import { findModel } from '#core/model/list.ts';
import type { Effort } from '#core/model/model-table.ts';

/** The level that a model works at when a request names none; the provider's own default. */
export function defaultEffort(modelId: string): Effort {
  return habitsOf(modelId).defaultEffort;
}

/** Returns a sentence that starts with the field's path; null for what holds and for models that are not known. */
export function refusalOf(model: Model): string | null {
  return brokenPlace(model) ?? (isKnown(model.id) ? brokenHabit(model) : null);
}

/** Bedrock runs a model where its id says, at one speed. */
function brokenPlace({ id, speed, inference_geo }: Model): string | null {
  if (!isBedrockId(id)) return null;
  if (speed === 'fast') return 'model.speed: Amazon Bedrock has no fast mode; use standard';
  if (inference_geo !== undefined) return 'model.inference_geo: on Amazon Bedrock the model’s id says where it runs';
  return null;
}

function brokenHabit({ id, effort, speed, inference_geo }: Model): string | null {
  const { efforts, ...habits } = habitsOf(id);
  const name = modelName(id);
  // A model without levels keeps the default, which is never sent.
  if (effort.type !== habits.defaultEffort && !efforts.includes(effort.type)) {
    return efforts.length === 0
      ? `model.effort: ${name} has no effort levels; leave it out`
      : `model.effort: ${name} knows ${efforts.join(', ')}`;
  }
  if (speed === 'fast' && !habits.fast) return `model.speed: ${name} has no fast mode; use standard`;
  if (inference_geo !== undefined && !habits.inferenceGeo) {
    return `model.inference_geo: ${name} does not take it; leave it out`;
  }
  return null;
}

/** Holds for the Claude API itself: gateways and other providers retire a model when they like. */
export function retirementOf(id: string): string | null {
  const known = isBedrockId(id) ? null : findModel(id);
  if (known?.lifecycle !== 'retired') return null;
  return `model.id: ${modelName(id)} was retired on ${known.retires_at?.slice(0, 10)}`;
}
