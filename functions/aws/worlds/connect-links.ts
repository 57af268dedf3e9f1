/** What functions know of links without serving their pages: the API, the MCP proxy and the sweep. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { EnterpriseSettings } from '#contract/enterprise.ts';
import { AllowedHosts } from '#contract/outbound.ts';
import type { ConnectLinks, WaitingCall } from '#core/ports/connect-links.ts';
import { createConnectLinks } from '#core/connect/offer-link.ts';
import type { LinkWorld } from '#core/connect/request-link.ts';
import type { SettleWorld } from '#core/connect/settle.ts';
import { enterpriseOf, type Enterprise } from '#core/vault/enterprise.ts';
import { isWaitSince } from '#core/session/waiting.ts';
import { declineCall, resumeCall, type Sending } from '#core/session/send.ts';
import { createAgentRecords } from '#aws/records/agents.dynamodb.ts';
import { createConnectRecords } from '#aws/connect/connect-records.dynamodb.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { jsonSetting, setting, urlSetting, type Environment } from '#aws/settings.ts';
import { createStamp, newToken } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';

/** Null for `none`, which has to be said. */
function connectBaseUrl(environment: Environment): string | null {
  return setting(environment, 'CONNECT_BASE_URL') === 'none' ? null : urlSetting(environment, 'CONNECT_BASE_URL');
}

/** Null where users consent to every server themselves. */
export function enterpriseIn(environment: Environment): Enterprise | null {
  return enterpriseOf(jsonSetting(environment, 'ENTERPRISE', EnterpriseSettings));
}

export function connectLinks(environment: Environment): ConnectLinks {
  return createConnectLinks({
    connects: createConnectRecords(new DynamoDBClient(), setting(environment, 'VAULT_TABLE')),
    stamp: createStamp(),
    newToken,
    baseUrl: connectBaseUrl(environment),
  });
}

export function settleWorld(environment: Environment, sending: Sending) {
  const dynamodb = new DynamoDBClient();
  const table = setting(environment, 'VAULT_TABLE');
  return {
    connects: createConnectRecords(dynamodb, table),
    credentials: createCredentialRecords(dynamodb, table),
    ...toldTo(sending),
    stamp: sending.stamp,
  } satisfies SettleWorld;
}

export function linkWorld(environment: Environment, sending: Sending): LinkWorld {
  const dynamodb = new DynamoDBClient();
  return {
    ...settleWorld(environment, sending),
    vaults: createVaultRecords(dynamodb, setting(environment, 'VAULT_TABLE')),
    agents: createAgentRecords(dynamodb, setting(environment, 'RECORDS_TABLE')),
    isWaiting: waitsIn(sending),
    baseUrl: connectBaseUrl(environment),
    enterprise: enterpriseIn(environment),
    returnUrls: jsonSetting(environment, 'CONNECT_RETURN_URLS', z.array(z.string())),
    serversAllowed: jsonSetting(environment, 'MCP_ALLOW', AllowedHosts),
    newToken,
  };
}

/** In the log, the call's own id says why it went on, or ended; a list has none. */
function toldTo(sending: Sending): Pick<SettleWorld, 'resume' | 'decline'> {
  const waiter = ({ session, thread, call }: WaitingCall) => {
    return { key: { session, thread }, cause: `connect for ${call ?? 'tools'}` };
  };
  return {
    resume: (waiting) => resumeCall(sending, waiter(waiting), { call: waiting.call, since: waiting.since }),
    decline: (waiting, reason) =>
      declineCall(sending, waiter(waiting), { call: waiting.call, since: waiting.since, reason }),
  };
}

/** A list waits for as long as there is a session that could use its tools. */
function waitsIn({ log }: Sending) {
  return async ({ session, thread, call, since }: WaitingCall) => {
    const head = await log.head({ session, thread });
    if (call === null) return head !== null;
    return head?.state.calls.some((open) => open.id === call && open.isSuspended && isWaitSince(open, since)) ?? false;
  };
}
