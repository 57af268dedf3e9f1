/**
 * The models that are known by name, newest first: what the API tells of each, and what a request has to do differently
 * for it. Dates and limits are the provider's, from its page of each model and its table of deprecations; what those do
 * not tell is null. A model without a row can be used all the same: the provider says whether it knows it.
 */
import type { Model } from '#contract/agents.ts';
import type { ModelInfo } from '#contract/models.ts';

export type Effort = Model['effort']['type'];

/** What a request does for a model. A habit is data with a reason, so that it goes when its reason is gone. */
export interface ModelHabits {
  /** How the model is asked to think. */
  readonly thinking: 'adaptive' | 'none';
  /** The levels that the model knows; none where it answers 400 to any. */
  readonly efforts: readonly Effort[];
  readonly defaultEffort: Effort;
  /** Whether the model takes `speed: "fast"`. */
  readonly fast: boolean;
  /** Whether the model takes `inference_geo`. */
  readonly inferenceGeo: boolean;
  /** Whether the model takes messages of the role `system` within a conversation. */
  readonly midConversationSystem: boolean;
  /** The newest of the provider's own web tools that the model knows; null where the provider has none. */
  readonly webSearch: 'web_search_20250305' | 'web_search_20260318' | null;
  readonly webFetch: 'web_fetch_20250910' | 'web_fetch_20260318' | null;
}

interface ModelRow {
  readonly info: ModelInfo;
  /** Null for a retired model. */
  readonly habits: ModelHabits | null;
  readonly reason: string;
}

/** When each row was last compared with the provider's pages. */
export const CONFIRMED = '2026-11-21';

/** Context window and longest answer, tokens. */
type Limits = readonly [maxInputTokens: number, maxTokens: number];

const LARGE: Limits = [1_000_000, 128_000];

/** Current models decide themselves when to think; effort steers how much. */
export const CURRENT: ModelHabits = {
  thinking: 'adaptive',
  efforts: ['low', 'medium', 'high', 'xhigh', 'max'],
  defaultEffort: 'high',
  fast: false,
  inferenceGeo: true,
  midConversationSystem: true,
  webSearch: 'web_search_20260318',
  webFetch: 'web_fetch_20260318',
};

const BEFORE_XHIGH: ModelHabits = {
  ...CURRENT,
  efforts: ['low', 'medium', 'high', 'max'],
  midConversationSystem: false,
};

/** Before adaptive thinking, and before web tools that filter by code what they found. */
const BEFORE_ADAPTIVE: ModelHabits = {
  ...CURRENT,
  thinking: 'none',
  efforts: [],
  inferenceGeo: false,
  midConversationSystem: false,
  webSearch: 'web_search_20250305',
  webFetch: 'web_fetch_20250910',
};

type Release = readonly [id: string, name: string, line: ModelInfo['line'], released: string];

interface Limited {
  /** @default LARGE */
  readonly limits?: Limits;
  readonly deprecated?: string;
  /** Absent while a retirement has no date. */
  readonly retires?: string;
}

const day = (date: string | undefined) => (date === undefined ? null : `${date}T00:00:00Z`);

function infoOf([id, name, line, released]: Release, { limits, deprecated, retires }: Limited): ModelInfo {
  const [max_input_tokens, max_tokens] = limits ?? LARGE;
  return {
    id,
    type: 'model',
    display_name: name,
    created_at: `${released}T00:00:00Z`,
    lifecycle: deprecated === undefined ? 'active' : 'deprecated',
    line,
    deprecated_at: day(deprecated),
    retires_at: day(retires),
    max_input_tokens,
    max_tokens,
    capabilities: null,
  };
}

function usable(release: Release, habits: ModelHabits, reason: string, more: Limited = {}): ModelRow {
  return { info: infoOf(release, more), habits, reason };
}

function retired(release: Release, more: Required<Limited>): ModelRow {
  return { info: { ...infoOf(release, more), lifecycle: 'retired' }, habits: null, reason: 'retired' };
}

export const MODELS: readonly ModelRow[] = [
  usable(
    ['claude-fable-5-2', 'Claude Fable 5.2', 'fable', '2026-11-09'],
    { ...CURRENT, fast: true },
    'has a fast mode',
  ),
  usable(
    ['claude-mythos-5-2', 'Claude Mythos 5.2', 'mythos', '2026-11-09'],
    { ...CURRENT, fast: true },
    'has a fast mode',
  ),
  usable(
    ['claude-haiku-5-5', 'Claude Haiku 5.5', 'haiku', '2026-10-07'],
    { ...CURRENT, defaultEffort: 'medium' },
    'works at medium effort unless told otherwise',
  ),
  usable(['claude-sonnet-5-5', 'Claude Sonnet 5.5', 'sonnet', '2026-09-28'], CURRENT, 'has no fast mode'),
  usable(
    ['claude-opus-5-5', 'Claude Opus 5.5', 'opus', '2026-09-22'],
    { ...CURRENT, defaultEffort: 'medium', fast: true },
    'works at medium effort unless told otherwise, and has a fast mode',
  ),
  usable(['claude-fable-5-1', 'Claude Fable 5.1', 'fable', '2026-09-01'], CURRENT, 'has no fast mode'),
  usable(['claude-mythos-5-1', 'Claude Mythos 5.1', 'mythos', '2026-09-01'], CURRENT, 'has no fast mode'),
  usable(
    ['claude-opus-5', 'Claude Opus 5', 'opus', '2026-07-24'],
    { ...CURRENT, fast: true },
    'has a fast mode, as a preview',
  ),
  usable(
    ['claude-sonnet-5', 'Claude Sonnet 5', 'sonnet', '2026-06-30'],
    { ...CURRENT, midConversationSystem: false },
    'takes system text in front of the conversation only',
  ),
  usable(['claude-fable-5', 'Claude Fable 5', 'fable', '2026-06-09'], CURRENT, 'has no fast mode'),
  usable(['claude-mythos-5', 'Claude Mythos 5', 'mythos', '2026-06-09'], CURRENT, 'has no fast mode'),
  usable(
    ['claude-opus-4-8', 'Claude Opus 4.8', 'opus', '2026-05-28'],
    { ...CURRENT, fast: true },
    'has a fast mode, as a preview that ends on 2026-11-30',
  ),
  usable(
    ['claude-opus-4-7', 'Claude Opus 4.7', 'opus', '2026-04-16'],
    { ...CURRENT, midConversationSystem: false },
    'takes system text in front of the conversation only',
  ),
  usable(
    ['claude-mythos-preview', 'Claude Mythos Preview', null, '2026-04-07'],
    BEFORE_XHIGH,
    'predates the level xhigh and system messages within a conversation',
    { deprecated: '2026-06-09' },
  ),
  usable(
    ['claude-sonnet-4-6', 'Claude Sonnet 4.6', 'sonnet', '2026-02-17'],
    BEFORE_XHIGH,
    'predates the level xhigh and system messages within a conversation',
  ),
  usable(
    ['claude-opus-4-6', 'Claude Opus 4.6', 'opus', '2026-02-05'],
    BEFORE_XHIGH,
    'predates the level xhigh and system messages within a conversation',
  ),
  usable(
    ['claude-opus-4-5-20251101', 'Claude Opus 4.5', 'opus', '2025-11-24'],
    { ...BEFORE_ADAPTIVE, efforts: ['low', 'medium', 'high'] },
    'predates adaptive thinking and the levels above high',
    { limits: [200_000, 64_000], deprecated: '2026-11-23', retires: '2027-01-22' },
  ),
  usable(
    ['claude-haiku-4-5-20251001', 'Claude Haiku 4.5', 'haiku', '2025-10-15'],
    BEFORE_ADAPTIVE,
    'predates adaptive thinking and answers 400 to it and to effort',
    { limits: [200_000, 64_000] },
  ),
  usable(
    ['claude-sonnet-4-5-20250929', 'Claude Sonnet 4.5', 'sonnet', '2025-09-29'],
    BEFORE_ADAPTIVE,
    'predates adaptive thinking and answers 400 to it and to effort',
    { limits: [200_000, 64_000], deprecated: '2026-09-30', retires: '2026-11-30' },
  ),
  retired(['claude-opus-4-1-20250805', 'Claude Opus 4.1', 'opus', '2025-08-05'], {
    limits: [200_000, 32_000],
    deprecated: '2026-06-05',
    retires: '2026-08-05',
  }),
  retired(['claude-opus-4-20250514', 'Claude Opus 4', 'opus', '2025-05-22'], {
    limits: [200_000, 32_000],
    deprecated: '2026-04-14',
    retires: '2026-06-15',
  }),
  retired(['claude-sonnet-4-20250514', 'Claude Sonnet 4', 'sonnet', '2025-05-22'], {
    limits: [200_000, 64_000],
    deprecated: '2026-04-14',
    retires: '2026-06-15',
  }),
  retired(['claude-3-7-sonnet-20250219', 'Claude Sonnet 3.7', 'sonnet', '2025-02-24'], {
    limits: [200_000, 64_000],
    deprecated: '2025-10-28',
    retires: '2026-02-19',
  }),
  retired(['claude-3-5-haiku-20241022', 'Claude Haiku 3.5', 'haiku', '2024-10-22'], {
    limits: [200_000, 8192],
    deprecated: '2025-12-19',
    retires: '2026-02-19',
  }),
];
