import { expect, it, onTestFinished, vi } from 'vitest';
import { createBedrockModel } from '#aws/model/model.bedrock.ts';
import { startStandIn } from '#test/model/stand-in.ts';
import { ask, modelSuite, PATIENT, REQUEST } from './model.suite.ts';

const MODEL = 'eu.anthropic.claude-sonnet-4-5-20250929-v1:0';
const CREDENTIALS = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret', sessionToken: 'a-session' };

const create = (baseUrl: string, silence = PATIENT) =>
  createBedrockModel({ baseUrl, region: 'eu-central-1', credentials: CREDENTIALS, silence });

modelSuite({
  name: 'Amazon Bedrock',
  create,
  modelId: MODEL,
  contentType: 'application/vnd.amazon.eventstream',
  errors: { rateLimited: 'throttlingException', refused: 'validationException' },
});

it('Bedrock gets requests signed by the role for its Region, without a key from the environment', async () => {
  vi.stubEnv('AWS_BEARER_TOKEN_BEDROCK', 'a-key');
  vi.stubEnv('ANTHROPIC_API_KEY', 'another-key');
  onTestFinished(() => void vi.unstubAllEnvs());
  const standIn = await startStandIn({ script: () => ({ text: 'ok' }) });
  onTestFinished(standIn.close);
  await ask(create(standIn.url), { request: { ...REQUEST, model: MODEL } });
  const headers = standIn.requests[0]?.headers;
  expect(headers?.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/eu-central-1\/bedrock\/aws4_request, SignedHeaders=.*Signature=/,
  );
  expect(headers).toMatchObject({ 'x-amz-security-token': 'a-session' });
  expect(JSON.stringify(headers)).not.toMatch(/a-key|another-key/);
});

it('a Bedrock refusal of the role names what the operator has to check', async () => {
  const error = { status: 403, type: 'AccessDeniedException', message: 'canary' };
  const standIn = await startStandIn({ script: () => ({ error }) });
  onTestFinished(standIn.close);
  await expect(ask(create(standIn.url), { request: { ...REQUEST, model: MODEL } })).rejects.toThrow(
    'The model provider refused the harness’s role (HTTP 403): check that the account has access to the model in this Region.',
  );
});
