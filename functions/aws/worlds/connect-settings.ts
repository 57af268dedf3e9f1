/** How this deployment lets users connect to MCP servers, as its settings say. */
import { EnterpriseSettings } from '#contract/enterprise.ts';
import { enterpriseOf, type Enterprise } from '#core/vault/enterprise.ts';
import { jsonSetting, setting, urlSetting, type Environment } from '#aws/settings.ts';

/** Null for `none`: a deployment without pages for users has to say so. */
export function connectBaseUrl(environment: Environment): string | null {
  return setting(environment, 'CONNECT_BASE_URL') === 'none' ? null : urlSetting(environment, 'CONNECT_BASE_URL');
}

/** Null where users consent to every server themselves. */
export function enterpriseIn(environment: Environment): Enterprise | null {
  return enterpriseOf(jsonSetting(environment, 'ENTERPRISE', EnterpriseSettings));
}
