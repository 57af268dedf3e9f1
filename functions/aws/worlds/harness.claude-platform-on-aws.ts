/** The harness's world where Claude Platform on AWS serves the model: its client is in no other function's bundle. */
import { createClaudePlatformModel } from '#aws/model/model.claude-platform-on-aws.ts';
import { roleCredentials, setting, urlSetting, type Env } from '#aws/settings.ts';
import { harnessWorld, silenceSetting, type HarnessWorld } from '#aws/worlds/harness.ts';

export function claudePlatformHarnessWorld(env: Env): HarnessWorld {
  const model = createClaudePlatformModel({
    baseUrl: urlSetting(env, 'MODEL_BASE_URL'),
    region: setting(env, 'MODEL_REGION'),
    workspaceId: setting(env, 'MODEL_WORKSPACE_ID'),
    credentials: roleCredentials(env),
    silence: silenceSetting(env),
  });
  return harnessWorld(env, model);
}
