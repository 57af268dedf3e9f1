/** The harness's world where Claude Platform on AWS serves the model: its client is in no other function's bundle. */
import { createClaudePlatformModel } from '#aws/model/model.claude-platform-on-aws.ts';
import { roleCredentials, setting, urlSetting, type Environment } from '#aws/settings.ts';
import { harnessWorld, type HarnessWorld } from '#aws/worlds/harness.ts';

export function claudePlatformHarnessWorld(environment: Environment): HarnessWorld {
  const model = createClaudePlatformModel({
    baseUrl: urlSetting(environment, 'MODEL_BASE_URL'),
    region: setting(environment, 'MODEL_REGION'),
    workspaceId: setting(environment, 'MODEL_WORKSPACE_ID'),
    credentials: roleCredentials(environment),
  });
  return harnessWorld(environment, model);
}
