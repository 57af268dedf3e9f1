/**
 * The models that are known by name, newest first. Dates and limits are the provider's, from its page of each model and
 * its table of deprecations, read on 2026-11-21; what those do not tell is null. A model that is not here can be used
 * all the same: the provider is asked, and says whether it knows it.
 */
import type { ModelInfo } from '#contract/models.ts';

type Line = ModelInfo['line'];
/** Context window and longest answer, tokens. */
type Limits = readonly [maxInputTokens: number, maxTokens: number];

const LARGE: Limits = [1_000_000, 128_000];

const day = (date: string) => `${date}T00:00:00Z`;

function released(date: string, line: Line, [id, name]: readonly [string, string], limits: Limits = LARGE): ModelInfo {
  const [max_input_tokens, max_tokens] = limits;
  return {
    id,
    type: 'model',
    display_name: name,
    created_at: day(date),
    lifecycle: 'active',
    line,
    deprecated_at: null,
    retires_at: null,
    max_input_tokens,
    max_tokens,
    capabilities: null,
  };
}

const deprecated = (model: ModelInfo, since: string, retires: string | null): ModelInfo => ({
  ...model,
  lifecycle: 'deprecated',
  deprecated_at: day(since),
  retires_at: retires === null ? null : day(retires),
});

const retired = (model: ModelInfo, since: string, at: string): ModelInfo => ({
  ...deprecated(model, since, at),
  lifecycle: 'retired',
});

export const CATALOG: readonly ModelInfo[] = [
  released('2026-11-09', 'fable', ['claude-fable-5-2', 'Claude Fable 5.2']),
  released('2026-11-09', 'mythos', ['claude-mythos-5-2', 'Claude Mythos 5.2']),
  released('2026-10-07', 'haiku', ['claude-haiku-5-5', 'Claude Haiku 5.5']),
  released('2026-09-28', 'sonnet', ['claude-sonnet-5-5', 'Claude Sonnet 5.5']),
  released('2026-09-22', 'opus', ['claude-opus-5-5', 'Claude Opus 5.5']),
  released('2026-09-01', 'fable', ['claude-fable-5-1', 'Claude Fable 5.1']),
  released('2026-09-01', 'mythos', ['claude-mythos-5-1', 'Claude Mythos 5.1']),
  released('2026-07-24', 'opus', ['claude-opus-5', 'Claude Opus 5']),
  released('2026-06-30', 'sonnet', ['claude-sonnet-5', 'Claude Sonnet 5']),
  released('2026-06-09', 'fable', ['claude-fable-5', 'Claude Fable 5']),
  released('2026-06-09', 'mythos', ['claude-mythos-5', 'Claude Mythos 5']),
  released('2026-05-28', 'opus', ['claude-opus-4-8', 'Claude Opus 4.8']),
  released('2026-04-16', 'opus', ['claude-opus-4-7', 'Claude Opus 4.7']),
  // Its retirement is announced without a date.
  deprecated(released('2026-04-07', null, ['claude-mythos-preview', 'Claude Mythos Preview']), '2026-06-09', null),
  released('2026-02-17', 'sonnet', ['claude-sonnet-4-6', 'Claude Sonnet 4.6']),
  released('2026-02-05', 'opus', ['claude-opus-4-6', 'Claude Opus 4.6']),
  deprecated(
    released('2025-11-24', 'opus', ['claude-opus-4-5-20251101', 'Claude Opus 4.5'], [200_000, 64_000]),
    '2026-11-23',
    '2027-01-22',
  ),
  released('2025-10-15', 'haiku', ['claude-haiku-4-5-20251001', 'Claude Haiku 4.5'], [200_000, 64_000]),
  deprecated(
    released('2025-09-29', 'sonnet', ['claude-sonnet-4-5-20250929', 'Claude Sonnet 4.5'], [200_000, 64_000]),
    '2026-09-30',
    '2026-11-30',
  ),
  retired(
    released('2025-08-05', 'opus', ['claude-opus-4-1-20250805', 'Claude Opus 4.1'], [200_000, 32_000]),
    '2026-06-05',
    '2026-08-05',
  ),
  retired(
    released('2025-05-22', 'opus', ['claude-opus-4-20250514', 'Claude Opus 4'], [200_000, 32_000]),
    '2026-04-14',
    '2026-06-15',
  ),
  retired(
    released('2025-05-22', 'sonnet', ['claude-sonnet-4-20250514', 'Claude Sonnet 4'], [200_000, 64_000]),
    '2026-04-14',
    '2026-06-15',
  ),
  retired(
    released('2025-02-24', 'sonnet', ['claude-3-7-sonnet-20250219', 'Claude Sonnet 3.7'], [200_000, 64_000]),
    '2025-10-28',
    '2026-02-19',
  ),
  retired(
    released('2024-10-22', 'haiku', ['claude-3-5-haiku-20241022', 'Claude Haiku 3.5'], [200_000, 8192]),
    '2025-12-19',
    '2026-02-19',
  ),
];
