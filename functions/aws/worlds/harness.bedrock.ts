/** The harness's world where Amazon Bedrock serves the model: its client is in no other function's bundle. */
import { createBedrockModel } from '#aws/model/model.bedrock.ts';
import { roleCredentials, setting, urlSetting, type Environment } from '#aws/settings.ts';
import { harnessWorld, type HarnessWorld } from '#aws/worlds/harness.ts';

export function bedrockHarnessWorld(environment: Environment): HarnessWorld {
  const model = createBedrockModel({
    baseUrl: urlSetting(environment, 'MODEL_BASE_URL'),
    region: setting(environment, 'MODEL_REGION'),
    credentials: roleCredentials(environment),
  });
  return harnessWorld(environment, model);
}
