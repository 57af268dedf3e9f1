import { describe, expect, it } from 'vitest';
import { isAsCapable } from '#core/model/capability.ts';

describe('a model is at least as capable as', () => {
  it.each([
    ['itself', 'claude-sonnet-5', 'claude-sonnet-5'],
    ['itself at another provider', 'us.anthropic.claude-sonnet-5-v1:0', 'claude-sonnet-5'],
    ['one of a lesser line', 'claude-sonnet-4-6', 'claude-haiku-5-5'],
    ['an older one of its line', 'claude-opus-5-5', 'claude-opus-4-6'],
    ['an older one by its alias', 'claude-opus-5', 'claude-opus-4-5'],
    ['one of all lesser lines', 'claude-fable-5', 'claude-opus-5-5'],
    ['one that is not known', 'claude-haiku-5-5', 'a-gateway/model'],
    ['any, when it is not known itself', 'a-gateway/model', 'claude-mythos-5-2'],
  ])('%s', (_what, model, than) => {
    expect(isAsCapable(model, than)).toBe(true);
  });

  it.each([
    ['one of a greater line', 'claude-haiku-5-5', 'claude-sonnet-4-6'],
    ['a newer one of its line', 'claude-opus-4-6', 'claude-opus-4-7'],
    ['a newer one of its line, at Bedrock', 'us.anthropic.claude-sonnet-4-6', 'claude-sonnet-5'],
    ['one of the greatest line', 'claude-fable-5-2', 'claude-mythos-5'],
  ])('no: %s', (_what, model, than) => {
    expect(isAsCapable(model, than)).toBe(false);
  });
});
