/**
 * What one model needs to hear differently, as data, so that a row can be retired when its reason is gone. A row holds
 * for one model under all of its ids; for a model without a row, the first one.
 */
import type { Model } from '#contract/agents.ts';
import { isBedrockId, modelName } from '#core/model/model-name.ts';

export type Effort = Model['effort']['type'];

export interface ModelHabits {
  /** The model's name; null stands for every model that has no row. */
  readonly model: string | null;
  /** Output limit of one request, tokens. Explicit because Bedrock reserves what is left unset. */
  readonly maxTokens: number;
  /** Context window, tokens; input and output share it. */
  readonly windowTokens: number;
  /** How the model is asked to think. */
  readonly thinking: 'adaptive' | 'none';
  /** The levels it knows; none where it answers 400 to any. */
  readonly efforts: readonly Effort[];
  readonly defaultEffort: Effort;
  /** Whether it takes `speed: "fast"`. */
  readonly fast: boolean;
  /** Whether it takes `inference_geo`. */
  readonly inferenceGeo: boolean;
  /** Whether it takes messages of the role `system` within a conversation. */
  readonly midConversationSystem: boolean;
  /** The newest of the provider's own web tools that it knows; null where the provider has none. */
  readonly webSearch: 'web_search_20250305' | 'web_search_20260318' | null;
  readonly webFetch: 'web_fetch_20250910' | 'web_fetch_20260318' | null;
  readonly reason: string;
  /** When the row was last confirmed. */
  readonly date: string;
}

const CURRENT = {
  maxTokens: 32_000,
  windowTokens: 1_000_000,
  thinking: 'adaptive',
  efforts: ['low', 'medium', 'high', 'xhigh', 'max'],
  defaultEffort: 'high',
  fast: false,
  inferenceGeo: true,
  midConversationSystem: true,
  webSearch: 'web_search_20260318',
  webFetch: 'web_fetch_20260318',
} as const satisfies Partial<ModelHabits>;

/** Before adaptive thinking, and before web tools that filter what they found by code. */
const BEFORE_ADAPTIVE = {
  ...CURRENT,
  windowTokens: 200_000,
  thinking: 'none',
  efforts: [],
  inferenceGeo: false,
  midConversationSystem: false,
  webSearch: 'web_search_20250305',
  webFetch: 'web_fetch_20250910',
} as const satisfies Partial<ModelHabits>;

const ANY: ModelHabits = {
  ...CURRENT,
  model: null,
  reason: 'current models decide themselves when to think; effort steers how much',
  date: '2026-11-21',
};

const HABITS: readonly ModelHabits[] = [
  { ...CURRENT, model: 'claude-fable-5-2', fast: true, reason: 'has a fast mode', date: '2026-11-21' },
  { ...CURRENT, model: 'claude-mythos-5-2', fast: true, reason: 'has a fast mode', date: '2026-11-21' },
  {
    ...CURRENT,
    model: 'claude-opus-5-5',
    defaultEffort: 'medium',
    fast: true,
    reason: 'works at medium effort unless told otherwise, and has a fast mode',
    date: '2026-11-21',
  },
  {
    ...CURRENT,
    model: 'claude-haiku-5-5',
    defaultEffort: 'medium',
    reason: 'works at medium effort unless told otherwise',
    date: '2026-11-21',
  },
  { ...CURRENT, model: 'claude-sonnet-5-5', reason: 'has no fast mode', date: '2026-11-21' },
  { ...CURRENT, model: 'claude-fable-5-1', reason: 'has no fast mode', date: '2026-11-21' },
  { ...CURRENT, model: 'claude-mythos-5-1', reason: 'has no fast mode', date: '2026-11-21' },
  { ...CURRENT, model: 'claude-fable-5', reason: 'has no fast mode', date: '2026-11-21' },
  { ...CURRENT, model: 'claude-mythos-5', reason: 'has no fast mode', date: '2026-11-21' },
  { ...CURRENT, model: 'claude-opus-5', fast: true, reason: 'has a fast mode, as a preview', date: '2026-11-21' },
  {
    ...CURRENT,
    model: 'claude-sonnet-5',
    midConversationSystem: false,
    reason: 'takes system text in front of the conversation only',
    date: '2026-11-21',
  },
  {
    ...CURRENT,
    model: 'claude-opus-4-8',
    fast: true,
    reason: 'has a fast mode, as a preview that ends on 2026-11-30',
    date: '2026-11-21',
  },
  {
    ...CURRENT,
    model: 'claude-opus-4-7',
    midConversationSystem: false,
    reason: 'takes system text in front of the conversation only',
    date: '2026-11-21',
  },
  {
    ...CURRENT,
    model: 'claude-mythos-preview',
    efforts: ['low', 'medium', 'high', 'max'],
    midConversationSystem: false,
    reason: 'predates the level xhigh and system messages within a conversation',
    date: '2026-11-21',
  },
  {
    ...CURRENT,
    model: 'claude-opus-4-6',
    efforts: ['low', 'medium', 'high', 'max'],
    midConversationSystem: false,
    reason: 'predates the level xhigh and system messages within a conversation',
    date: '2026-11-21',
  },
  {
    ...CURRENT,
    model: 'claude-sonnet-4-6',
    efforts: ['low', 'medium', 'high', 'max'],
    midConversationSystem: false,
    reason: 'predates the level xhigh and system messages within a conversation',
    date: '2026-11-21',
  },
  {
    ...BEFORE_ADAPTIVE,
    model: 'claude-opus-4-5',
    efforts: ['low', 'medium', 'high'],
    reason: 'predates adaptive thinking and the levels above high',
    date: '2026-11-21',
  },
  {
    ...BEFORE_ADAPTIVE,
    model: 'claude-haiku-4-5',
    reason: 'predates adaptive thinking and answers 400 to it and to effort',
    date: '2026-11-21',
  },
  {
    ...BEFORE_ADAPTIVE,
    model: 'claude-sonnet-4-5',
    reason: 'predates adaptive thinking and answers 400 to it and to effort',
    date: '2026-11-21',
  },
];

/** Whatever the model is, Bedrock runs it where its id says and leaves these out; confirmed on 2026-11-21. */
const ON_BEDROCK = {
  fast: false,
  inferenceGeo: false,
  midConversationSystem: false,
  webSearch: null,
  webFetch: null,
} as const satisfies Partial<ModelHabits>;

export function habitsOf(modelId: string): ModelHabits {
  const name = modelName(modelId);
  const habits = HABITS.find((row) => row.model === name) ?? ANY;
  return isBedrockId(modelId) ? { ...habits, ...ON_BEDROCK } : habits;
}

/** Whether the table says what a model does not do. */
export function isKnown(modelId: string): boolean {
  return habitsOf(modelId).model !== null;
}

/** Request fields that depend on the model: its output limit, thinking and effort. */
export function modelFields(model: Model): { max_tokens: number; extra: Record<string, unknown> } {
  const { maxTokens, thinking, efforts } = habitsOf(model.id);
  return {
    max_tokens: maxTokens,
    extra: {
      ...(thinking === 'adaptive' ? { thinking: { type: 'adaptive' } } : {}),
      // An agent may hold a level that its model has never known, or knows no longer.
      ...(efforts.includes(model.effort.type) ? { output_config: { effort: model.effort.type } } : {}),
      ...(model.speed === 'fast' ? { speed: 'fast' } : {}),
      ...(model.inference_geo === undefined ? {} : { inference_geo: model.inference_geo }),
    },
  };
}
