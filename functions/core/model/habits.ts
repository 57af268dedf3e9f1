/** What a request does for the model that it asks. */
import type { Model } from '#contract/agents.ts';
import { CURRENT, MODELS, type ModelHabits } from '#core/model/model-table.ts';

// One model has many ids: dated, with an alias, and with another provider's place and version around them.

/** `arn:…/`, then where Bedrock runs it (`us.`, `eu.`, `global.`, …), then who made it. */
const BEDROCK_PREFIX = /^(?:.*\/)?(?:[a-z-]+\.)?anthropic\./;
/** `-v1:0`, `-v1`, `-v1:0:200k` */
const BEDROCK_VERSION = /-v\d+(?::\w+)*$/;
const SNAPSHOT_DATE = /[-@]\d{8}$/;

/** Output limit of one request, tokens. It is explicit because Bedrock reserves what is left unset. */
const MAX_OUTPUT_TOKENS = 32_000;

/** The window of a model that is not in the table. */
const CURRENT_WINDOW_TOKENS = 1_000_000;

/** Bedrock runs every model where its id says, and leaves these out. */
const ON_BEDROCK = {
  fast: false,
  inferenceGeo: false,
  midConversationSystem: false,
  webSearch: null,
  webFetch: null,
} as const satisfies Partial<ModelHabits>;

interface AskingHabits extends ModelHabits {
  /** The model's name, whichever of its ids was asked for; null for a model that is not in the table, or is retired. */
  readonly model: string | null;
  readonly maxTokens: number;
  /** Context window, tokens; input and output share it. */
  readonly windowTokens: number;
}

export function habitsOf(modelId: string): AskingHabits {
  const name = modelName(modelId);
  const row = MODELS.find(({ info, habits }) => habits !== null && modelName(info.id) === name);
  return {
    ...(row?.habits ?? CURRENT),
    ...(isBedrockId(modelId) ? ON_BEDROCK : {}),
    model: row === undefined ? null : name,
    maxTokens: MAX_OUTPUT_TOKENS,
    windowTokens: row?.info.max_input_tokens ?? CURRENT_WINDOW_TOKENS,
  };
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
      // An agent may hold a level that its model does not know.
      ...(efforts.includes(model.effort.type) ? { output_config: { effort: model.effort.type } } : {}),
      ...(model.speed === 'fast' ? { speed: 'fast' } : {}),
      ...(model.inference_geo === undefined ? {} : { inference_geo: model.inference_geo }),
    },
  };
}

/** The model's own name at every provider: `us.anthropic.claude-haiku-4-5-20251001-v1:0` → `claude-haiku-4-5`. */
export function modelName(id: string): string {
  return withoutPlace(id).replace(SNAPSHOT_DATE, '');
}

/** The id as the Claude API knows it: place and version removed, the snapshot's date kept. */
export function withoutPlace(id: string): string {
  return isBedrockId(id) ? id.replace(BEDROCK_PREFIX, '').replace(BEDROCK_VERSION, '') : id;
}

export function isBedrockId(id: string): boolean {
  return BEDROCK_PREFIX.test(id);
}
