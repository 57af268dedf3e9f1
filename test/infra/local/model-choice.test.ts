import { expect, test } from 'vitest';
import { chooseModel } from '../../../infra/local/model-choice.ts';

test('without a key a scripted stand-in answers, and its name says so', async () => {
  const model = await chooseModel({ ANTHROPIC_BASE_URL: 'https://gateway.example' });
  expect(model).toMatchObject({ real: false, name: expect.stringContaining('stand-in') });
  expect(model.baseUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  await model.close();
  await expect(fetch(model.baseUrl)).rejects.toThrow('fetch failed');
});

test('with a key requests go to the real endpoint, or to the given one', async () => {
  const key = { ANTHROPIC_API_KEY: 'sk-test' };
  expect(await chooseModel(key)).toMatchObject({ baseUrl: 'https://api.anthropic.com', apiKey: 'sk-test', real: true });
  const given = await chooseModel({ ...key, ANTHROPIC_BASE_URL: 'https://gateway.example' });
  expect(given).toMatchObject({ baseUrl: 'https://gateway.example', real: true });
});
