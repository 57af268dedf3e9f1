import { expect, it, onTestFinished, vi } from 'vitest';
import { createClaudePlatformModel } from '#aws/model/model.claude-platform-on-aws.ts';
import { startStandIn } from '#test/model/stand-in.ts';
import { ask, modelSuite, PATIENT } from './model.suite.ts';

const create = (baseUrl: string, silence = PATIENT) =>
  createClaudePlatformModel({
    baseUrl,
    silence,
    region: 'us-west-2',
    workspaceId: 'wrkspc_1',
    credentials: { accessKeyId: 'AKIATEST', secretAccessKey: 'secret', sessionToken: 'a-session' },
  });

modelSuite({
  name: 'Claude Platform on AWS',
  create,
  modelId: 'claude-opus-5',
  contentType: 'text/event-stream',
  errors: { rateLimited: 'rate_limit_error', refused: 'invalid_request_error' },
});

it('Claude Platform on AWS gets requests signed by the role, with the workspace and without a key from the environment', async () => {
  vi.stubEnv('ANTHROPIC_AWS_API_KEY', 'a-key');
  vi.stubEnv('ANTHROPIC_API_KEY', 'another-key');
  onTestFinished(() => void vi.unstubAllEnvs());
  const standIn = await startStandIn({ script: () => ({ text: 'ok' }) });
  onTestFinished(standIn.close);
  await ask(create(standIn.url));
  const headers = standIn.requests[0]?.headers;
  expect(headers?.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIATEST\/\d{8}\/us-west-2\/aws-external-anthropic\/aws4_request, SignedHeaders=/,
  );
  expect(headers).toMatchObject({ 'anthropic-workspace-id': 'wrkspc_1', 'x-amz-security-token': 'a-session' });
  expect(JSON.stringify(headers)).not.toMatch(/a-key|another-key/);
});
