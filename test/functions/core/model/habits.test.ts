import { describe, expect, it } from 'vitest';
import type { Model } from '#contract/agents.ts';
import { habitsOf, modelFields } from '#core/model/habits.ts';
import { CONFIRMED, MODELS } from '#core/model/model-table.ts';

const asked = (id: string, fields: Partial<Omit<Model, 'id'>> = {}) =>
  modelFields({ id, effort: { type: 'high' }, speed: 'standard', ...fields });

describe('the habits of a model', () => {
  it.each([
    'claude-haiku-4-5',
    'claude-haiku-4-5-20251001',
    'claude-haiku-4-5@20251001',
    'anthropic.claude-haiku-4-5-20251001-v1:0',
    'us.anthropic.claude-haiku-4-5-20251001-v1:0',
    'global.anthropic.claude-haiku-4-5-20251001-v1:0',
    'us-gov.anthropic.claude-haiku-4-5-20251001-v1:0:200k',
    'arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0',
    'arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0',
  ])('are found by the id %s', (id) => {
    expect(habitsOf(id).model).toBe('claude-haiku-4-5');
  });

  it('do not apply to a model with a name that only begins like another one’s', () => {
    expect(habitsOf('claude-opus-5-5')).toMatchObject({ model: 'claude-opus-5-5', defaultEffort: 'medium' });
    expect(habitsOf('claude-opus-5').defaultEffort).toBe('high');
    expect(habitsOf('claude-opus-5-9').model).toBeNull();
  });

  it('are stated for every model of the catalog, and agree with it', () => {
    for (const { info, reason } of MODELS.filter((row) => row.info.lifecycle !== 'retired')) {
      const { model, windowTokens, maxTokens } = habitsOf(info.id);
      expect(info.id).toContain(model);
      expect(windowTokens).toBe(info.max_input_tokens);
      expect(maxTokens).toBeLessThanOrEqual(info.max_tokens ?? 0);
      expect(reason).not.toBe('');
    }
    expect(CONFIRMED).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  it('leave out what Bedrock does not serve, also for an unknown model', () => {
    for (const id of ['global.anthropic.claude-opus-5-5', 'anthropic.claude-unheard-of-v1:0']) {
      const { midConversationSystem, webSearch, webFetch } = habitsOf(id);
      expect({ midConversationSystem, webSearch, webFetch }).toEqual({
        midConversationSystem: false,
        webSearch: null,
        webFetch: null,
      });
    }
    expect(habitsOf('claude-opus-5-5').webSearch).toBe('web_search_20260318');
    expect(habitsOf('claude-haiku-4-5').webFetch).toBe('web_fetch_20250910');
  });

  it('state which models accept system text within a conversation', () => {
    const taking = MODELS.map(({ info }) => info.id).filter(
      (id) => habitsOf(id).model && habitsOf(id).midConversationSystem,
    );
    expect(taking).toEqual(
      expect.arrayContaining(['claude-opus-4-8', 'claude-opus-5', 'claude-haiku-5-5', 'claude-fable-5-2']),
    );
    expect(taking).not.toContain('claude-sonnet-5');
    expect(taking).not.toContain('claude-opus-4-7');
  });
});

describe('a model request', () => {
  it('always states its output limit, and lets a current model decide when to think', () => {
    expect(asked('claude-opus-5', { effort: { type: 'low' } })).toEqual({
      max_tokens: 32_000,
      extra: { thinking: { type: 'adaptive' }, output_config: { effort: 'low' } },
    });
  });

  it('names neither thinking nor effort to a model that answers 400 to it', () => {
    expect(asked('us.anthropic.claude-haiku-4-5-20251001-v1:0').extra).toEqual({});
    expect(asked('claude-opus-4-5').extra).toEqual({ output_config: { effort: 'high' } });
  });

  it('leaves out an effort that the model does not know', () => {
    expect(asked('claude-opus-4-6', { effort: { type: 'xhigh' } }).extra).toEqual({ thinking: { type: 'adaptive' } });
  });

  it('carries speed and inference location where the agent sets them', () => {
    expect(asked('claude-opus-5-5', { speed: 'fast', inference_geo: 'us' }).extra).toMatchObject({
      speed: 'fast',
      inference_geo: 'us',
    });
  });
});
