/**
 * What one model needs to hear differently, as data, so that a row can be retired when its reason is gone. A row holds
 * for every model id that starts with its `family`; the longest match wins.
 */
import type { Model } from '#contract/agents.ts';

interface ModelHabits {
  readonly family: string;
  /** Output limit of one request, tokens. Explicit because Bedrock reserves what is left unset. */
  readonly maxTokens: number;
  /** How the model is asked to think. */
  readonly thinking: 'adaptive' | 'none';
  /** Whether the provider takes system messages between the others. */
  readonly midConversationSystem: boolean;
  readonly reason: string;
  /** When the row was last confirmed. */
  readonly date: string;
}

const HABITS: readonly ModelHabits[] = [
  {
    family: '',
    maxTokens: 32_000,
    thinking: 'adaptive',
    midConversationSystem: true,
    reason: 'current models decide themselves when to think; effort steers how much',
    date: '2026-11-21',
  },
  {
    family: 'claude-haiku-4-5',
    maxTokens: 32_000,
    thinking: 'none',
    midConversationSystem: false,
    reason: 'predates adaptive thinking and answers 400 to it and to effort',
    date: '2026-11-21',
  },
  {
    family: 'claude-sonnet-4-5',
    maxTokens: 32_000,
    thinking: 'none',
    midConversationSystem: false,
    reason: 'predates adaptive thinking and answers 400 to it and to effort',
    date: '2026-11-21',
  },
  {
    family: 'claude-opus-4-5',
    maxTokens: 32_000,
    thinking: 'none',
    midConversationSystem: false,
    reason: 'predates adaptive thinking',
    date: '2026-11-21',
  },
];

export function habitsOf(modelId: string): ModelHabits {
  const matches = HABITS.filter((row) => modelId.startsWith(row.family));
  return matches.reduce((best, row) => (row.family.length > best.family.length ? row : best));
}

/** Request fields that depend on the model: its output limit, thinking and effort. */
export function modelFields(model: Model): { max_tokens: number; extra: Record<string, unknown> } {
  const habits = habitsOf(model.id);
  const thinking =
    habits.thinking === 'adaptive'
      ? { thinking: { type: 'adaptive' }, output_config: { effort: model.effort.type } }
      : {};
  return {
    max_tokens: habits.maxTokens,
    extra: {
      ...thinking,
      ...(model.speed === 'fast' ? { speed: 'fast' } : {}),
      ...(model.inference_geo === undefined ? {} : { inference_geo: model.inference_geo }),
    },
  };
}
