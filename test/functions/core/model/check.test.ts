import { describe, expect, it } from 'vitest';
import type { Model } from '#contract/agents.ts';
import { defaultEffort, refusalOf, retirementOf } from '#core/model/check.ts';

const model = (id: string, fields: Partial<Omit<Model, 'id'>> = {}): Model => ({
  id,
  effort: { type: defaultEffort(id) },
  speed: 'standard',
  ...fields,
});

describe('the model of an agent', () => {
  it.each([
    ['claude-opus-5', 'high'],
    ['claude-opus-5-5', 'medium'],
    ['global.anthropic.claude-opus-5-5', 'medium'],
    ['claude-haiku-4-5-20251001', 'high'],
    ['other-provider/model', 'high'],
  ])('of %s has by default the effort %s', (id, effort) => {
    expect(defaultEffort(id)).toBe(effort);
  });

  it.each([
    model('claude-opus-5-5', { effort: { type: 'max' }, speed: 'fast', inference_geo: 'us' }),
    model('claude-opus-4-5', { effort: { type: 'low' } }),
    model('claude-haiku-4-5'),
    model('us.anthropic.claude-sonnet-4-5-20250929-v1:0'),
    model('claude-sonnet-4-5-20250929'),
  ])('of $id is accepted', (held) => {
    expect(refusalOf(held)).toBeNull();
  });

  it('that the table does not know is left for the provider to check', () => {
    const anything = { effort: { type: 'max' }, speed: 'fast', inference_geo: 'us' } as const;
    for (const id of ['claude-opus-9', 'claude-opus-5-9', 'other-provider/model'])
      expect(refusalOf(model(id, anything))).toBeNull();
  });

  it.each([
    [
      model('claude-opus-4-6', { effort: { type: 'xhigh' } }),
      'model.effort: claude-opus-4-6 knows low, medium, high, max',
    ],
    [
      model('claude-opus-4-5-20251101', { effort: { type: 'max' } }),
      'model.effort: claude-opus-4-5 knows low, medium, high',
    ],
    [
      model('eu.anthropic.claude-haiku-4-5-20251001-v1:0', { effort: { type: 'low' } }),
      'model.effort: claude-haiku-4-5 has no effort levels; leave it out',
    ],
    [model('claude-sonnet-5-5', { speed: 'fast' }), 'model.speed: claude-sonnet-5-5 has no fast mode; use standard'],
    [
      model('claude-haiku-4-5', { inference_geo: 'us' }),
      'model.inference_geo: claude-haiku-4-5 does not take it; leave it out',
    ],
    [
      model('us.anthropic.claude-opus-5-5', { speed: 'fast' }),
      'model.speed: Amazon Bedrock has no fast mode; use standard',
    ],
    [
      model('anthropic.claude-unheard-of-v1:0', { inference_geo: 'us' }),
      'model.inference_geo: on Amazon Bedrock the model’s id says where it runs',
    ],
  ])('of $id is refused with the reason', (broken, message) => {
    expect(refusalOf(broken)).toBe(message);
  });

  it('that the Claude API has retired is refused for that API alone', () => {
    expect(retirementOf('claude-opus-4-1')).toBe('model.id: claude-opus-4-1 was retired on 2026-08-05');
    expect(refusalOf(model('claude-opus-4-1'))).toBeNull();
    expect(retirementOf('us.anthropic.claude-opus-4-1-20250805-v1:0')).toBeNull();
    expect(retirementOf('claude-opus-5')).toBeNull();
  });
});
