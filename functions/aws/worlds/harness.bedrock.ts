/** The harness's world where Amazon Bedrock serves the model: its client is in no other function's bundle. */
import { createBedrockModel } from '#aws/model/model.bedrock.ts';
import { roleCredentials, setting, urlSetting, type Env } from '#aws/settings.ts';
import { harnessWorld, silenceSetting, type HarnessWorld } from '#aws/worlds/harness.ts';

export function bedrockHarnessWorld(env: Env): HarnessWorld {
  const model = createBedrockModel({
    baseUrl: urlSetting(env, 'MODEL_BASE_URL'),
    region: setting(env, 'MODEL_REGION'),
    credentials: roleCredentials(env),
    silence: silenceSetting(env),
  });
  return harnessWorld(env, model);
}
