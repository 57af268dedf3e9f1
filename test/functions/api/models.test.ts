/** The list of models as the official SDK reads it. */
import Anthropic from '@anthropic-ai/sdk';
import type { ModelInfo as WireModelInfo } from '@anthropic-ai/sdk/resources/models';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import type { ModelInfo } from '#contract/models.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

describe('the models API', () => {
  let api: TestApi;
  let client: Anthropic;
  beforeAll(async () => {
    api = await startApi();
    const fetch = async (url: string | URL | Request, init?: RequestInit) => api.app.request(String(url), init);
    client = new Anthropic({ apiKey: OTHER_KEY, baseURL: 'http://brainstem.test', maxRetries: 0, fetch });
  });
  afterAll(() => api.close());

  async function list(params: Anthropic.ModelListParams): Promise<readonly string[]> {
    const ids: string[] = [];
    for await (const { id } of client.models.list(params)) ids.push(id);
    return ids;
  }

  it('returns models in the shape that the SDK expects', () => {
    expectTypeOf<ModelInfo>().toExtend<WireModelInfo>();
  });

  it('lists newest first, without retired models', async () => {
    const page = await client.models.list({ limit: 1000 });
    const released = page.data.map(({ created_at }) => created_at);
    expect(released).toEqual(released.toSorted().toReversed());
    expect(new Set(page.data.map(({ lifecycle }) => lifecycle))).toEqual(new Set(['active', 'deprecated']));
    expect(page).toMatchObject({ has_more: false, first_id: page.data[0]?.id, last_id: page.data.at(-1)?.id });
  });

  it('lists twenty models in a page', async () => {
    const lifecycle = ['active', 'deprecated', 'retired'] as const;
    const page = await client.models.list({ lifecycle: [...lifecycle] });
    expect(page).toMatchObject({ data: { length: 20 }, has_more: true });
  });

  it.each([1, 3, 7])('lists the same models in pages of %i, forwards and backwards', async (limit) => {
    const all = await list({ limit: 1000 });
    expect(await list({ limit })).toEqual(all);
    const last = all.at(-1) ?? '';
    const pages: string[][] = [];
    const newest = await client.models.list({ limit, before_id: last });
    for await (const page of newest.iterPages()) pages.unshift(page.data.map(({ id }) => id));
    expect([...pages.flat(), last]).toEqual(all);
  });

  it('filters by lifecycle', async () => {
    expect(await list({ lifecycle: ['deprecated'] })).toEqual([
      'claude-mythos-preview',
      'claude-opus-4-5-20251101',
      'claude-sonnet-4-5-20250929',
    ]);
    expect(await list({ lifecycle: ['retired'] })).toContain('claude-opus-4-1-20250805');
  });

  it('lists from a model that the list itself leaves out', async () => {
    expect(await list({ lifecycle: ['active'], after_id: 'claude-mythos-preview', limit: 1000 })).toContain(
      'claude-opus-4-6',
    );
  });

  it.each(['claude-haiku-4-5-20251001', 'claude-haiku-4-5', 'global.anthropic.claude-haiku-4-5-20251001-v1:0'])(
    'finds a model as %s',
    async (id) => {
      expect(await client.models.retrieve(id)).toEqual({
        id: 'claude-haiku-4-5-20251001',
        type: 'model',
        display_name: 'Claude Haiku 4.5',
        created_at: '2025-10-15T00:00:00Z',
        lifecycle: 'active',
        line: 'haiku',
        deprecated_at: null,
        retires_at: null,
        max_input_tokens: 200_000,
        max_tokens: 64_000,
        capabilities: null,
      });
    },
  );

  it('states since when a model is retired', async () => {
    expect(await client.models.retrieve('claude-opus-4-1-20250805')).toMatchObject({
      lifecycle: 'retired',
      deprecated_at: '2026-06-05T00:00:00Z',
      retires_at: '2026-08-05T00:00:00Z',
    });
  });

  it('answers 404 for an unknown model', async () => {
    await expect(client.models.retrieve('claude-unknown')).rejects.toThrow(/^404 .*model_id: there is no such model/);
  });

  it.each([
    ['limit=0', /limit: /],
    ['limit=1001', /limit: /],
    ['after_id=claude-unknown', /^after_id: there is no such model$/],
    ['before_id=claude-unknown', /^before_id: there is no such model$/],
    ['after_id=claude-opus-5&before_id=claude-opus-5', /^before_id: cannot be combined with after_id$/],
    ['lifecycle[]=legacy', /^lifecycle/],
    ['page=page_1', /page/],
  ])('refuses a list with %s', async (query, message) => {
    const { status, body } = await api.ask('GET', `/v1/models?${query}`);
    expect({ status, type: body.error?.type }).toEqual({ status: 400, type: 'invalid_request_error' });
    expect(body.error.message).toMatch(message);
  });
});
