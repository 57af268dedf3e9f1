/** The settings of this deployment for connecting users to MCP servers. */
import { EnterpriseSettings } from '#contract/enterprise.ts';
import { enterpriseOf, type Enterprise } from '#core/vault/enterprise.ts';
import { jsonSetting, setting, urlSetting, type Env } from '#aws/settings.ts';

/** Null for the setting `none`, of a deployment without connect pages. */
export function connectBaseUrl(env: Env): string | null {
  return setting(env, 'CONNECT_BASE_URL') === 'none' ? null : urlSetting(env, 'CONNECT_BASE_URL');
}

/** Null where no organisation manages servers: users connect every server themselves. */
export function enterpriseIn(env: Env): Enterprise | null {
  return enterpriseOf(jsonSetting(env, 'ENTERPRISE', EnterpriseSettings));
}
