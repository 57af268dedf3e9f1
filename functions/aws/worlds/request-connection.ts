/** What the API needs to make a link on which a user consents, and to say what became of it. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { AllowedHosts } from '#contract/outbound.ts';
import type { WaitingCall } from '#core/ports/connection-records.ts';
import type { RequestConnectionPorts } from '#core/connect/request-connection.ts';
import type { RunPorts } from '#core/session/repair.ts';
import { isWaitSince } from '#core/session/waiting.ts';
import { createAgentRecords } from '#aws/records/agents.dynamodb.ts';
import { jsonSetting, setting, type Env } from '#aws/settings.ts';
import { newToken } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { connectBaseUrl, enterpriseIn } from '#aws/worlds/connect-settings.ts';
import { settlePorts } from '#aws/worlds/connecting.ts';

export function requestConnectionPorts(env: Env, ports: RunPorts): RequestConnectionPorts {
  const dynamodb = new DynamoDBClient();
  return {
    ...settlePorts(env, ports),
    vaults: createVaultRecords(dynamodb, setting(env, 'VAULT_TABLE')),
    agents: createAgentRecords(dynamodb, setting(env, 'RECORDS_TABLE')),
    isWaiting: waitsIn(ports),
    baseUrl: connectBaseUrl(env),
    enterprise: enterpriseIn(env),
    returnUrls: jsonSetting(env, 'CONNECT_RETURN_URLS', z.array(z.string())),
    serversAllowed: jsonSetting(env, 'MCP_ALLOW', AllowedHosts),
    newToken,
  };
}

/** A list waits for as long as there is a session that could use its tools. */
function waitsIn({ log }: RunPorts) {
  return async ({ session, thread, call, sincePosition }: WaitingCall) => {
    const head = await log.head({ session, thread });
    if (call === null) return head !== null;
    return (
      head?.state.calls.some((open) => open.id === call && open.isSuspended && isWaitSince(open, sincePosition)) ??
      false
    );
  };
}
