/** The harness's world where the Claude API, or a gateway that speaks it, serves the model. */
import { createAnthropicModel } from '#aws/model/model.anthropic.ts';
import { modelKeyReader } from '#aws/model/model-key.secrets-manager.ts';
import { setting, urlSetting, type Env } from '#aws/settings.ts';
import { harnessWorld, silenceSetting, type HarnessWorld } from '#aws/worlds/harness.ts';

export function anthropicHarnessWorld(env: Env): HarnessWorld {
  const baseUrl = urlSetting(env, 'MODEL_BASE_URL');
  const apiKey = modelKeyReader(setting(env, 'MODEL_API_KEY_SECRET_ARN'));
  return harnessWorld(env, createAnthropicModel({ baseUrl, apiKey, silence: silenceSetting(env) }));
}
