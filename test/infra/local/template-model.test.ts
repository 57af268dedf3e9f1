import { expect, test } from 'vitest';
import type { FunctionPart, Template } from '../../../infra/local/template/parts.ts';
import { askingModel } from '../../../infra/local/template-model.ts';

const asking = {
  environment: { MODEL_BASE_URL: 'https://bedrock-runtime.eu-west-1.amazonaws.com', MODEL_REGION: 'eu' },
};
const other = { environment: { LOG_TABLE: 'log' } };

/** Of a template, what is looked at here. */
function template(outputs: Template['outputs']): Template {
  const functions = [asking, other] as readonly Pick<FunctionPart, 'environment'>[];
  return { functions, outputs } as Template;
}

const KEYLESS = template({ BaseUrl: 'https://api' });
const WITH_KEY = template({ ModelApiKeySecretArn: 'arn' });

test('the model is asked where it was chosen to be, whatever provider the template is made for', () => {
  for (const made of [KEYLESS, WITH_KEY]) {
    const { functions } = askingModel(made, { baseUrl: 'http://127.0.0.1:1' });
    expect(functions).toEqual([
      { environment: { MODEL_BASE_URL: 'http://127.0.0.1:1', MODEL_REGION: 'eu' } },
      { environment: { LOG_TABLE: 'log' } },
    ]);
  }
});

test('a key of somebody’s is not sent to where a role is asked for, and it is said what to do', () => {
  const real = { baseUrl: 'https://api.anthropic.com', real: true };
  expect(() => askingModel(KEYLESS, real)).toThrow(/only the scripted stand-in answers .* unset ANTHROPIC_API_KEY/);
  expect(() => askingModel(WITH_KEY, real)).not.toThrow();
});
