import { expect, test } from 'vitest';
import type { FunctionPart, Template } from '../../../infra/local/template/parts.ts';
import { askingModel } from '../../../infra/local/template/local-places.ts';

const asking = {
  environment: { MODEL_BASE_URL: 'https://bedrock-runtime.eu-west-1.amazonaws.com', MODEL_REGION: 'eu' },
};
const other = { environment: { LOG_TABLE: 'log' } };

/** The parts of a template that these tests read. */
function template(outputs: Template['outputs']): Template {
  const functions = [asking, other] as readonly Pick<FunctionPart, 'environment'>[];
  return { functions, outputs } as Template;
}

const KEYLESS = template({ BaseUrl: 'https://api' });
const WITH_KEY = template({ ModelApiKeySecretArn: 'arn' });

test('model requests go to the chosen endpoint, whatever provider the template names', () => {
  for (const made of [KEYLESS, WITH_KEY]) {
    const { functions } = askingModel(made, { baseUrl: 'http://127.0.0.1:1' });
    expect(functions).toEqual([
      { environment: { MODEL_BASE_URL: 'http://127.0.0.1:1', MODEL_REGION: 'eu' } },
      { environment: { LOG_TABLE: 'log' } },
    ]);
  }
});

test('an API key is not sent where the template expects a role, and the message says what to do', () => {
  const real = { baseUrl: 'https://api.anthropic.com', real: true };
  expect(() => askingModel(KEYLESS, real)).toThrow(/only the scripted stand-in answers .* unset ANTHROPIC_API_KEY/);
  expect(() => askingModel(WITH_KEY, real)).not.toThrow();
});
