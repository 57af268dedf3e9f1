/** How this deployment lets users connect to MCP servers, as its settings say. */
import { EnterpriseSettings } from '#contract/enterprise.ts';
import { enterpriseOf, type Enterprise } from '#core/vault/enterprise.ts';
import { jsonSetting, setting, urlSetting, type Env } from '#aws/settings.ts';

/** Null for `none`: a deployment without pages for users has to say so. */
export function connectBaseUrl(env: Env): string | null {
  return setting(env, 'CONNECT_BASE_URL') === 'none' ? null : urlSetting(env, 'CONNECT_BASE_URL');
}

/** Null where users consent to every server themselves. */
export function enterpriseIn(env: Env): Enterprise | null {
  return enterpriseOf(jsonSetting(env, 'ENTERPRISE', EnterpriseSettings));
}
