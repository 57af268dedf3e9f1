/** The ports that finish a connection: its record, the credential that it stores, and the sessions that wait for it. */
import type { WaitingCall } from '#core/ports/connection-records.ts';
import * as z from 'zod';
import { AllowedHosts } from '#contract/outbound.ts';
import type { RequestConnectionPorts } from '#core/connect/request-connection.ts';
import { isWaitSince } from '#core/session/waiting.ts';
import type { SettlePorts } from '#core/connect/connect-world.ts';
import type { RunPorts } from '#core/session/repair.ts';
import { endWait } from '#core/session/send.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createConnectionRecords } from '#aws/connect/connection-records.dynamodb.ts';
import { jsonSetting, setting, type Env } from '#aws/settings.ts';
import { newToken } from '#aws/stamp.ts';
import { createAgentRecords } from '#aws/records/agents.dynamodb.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { connectBaseUrl, enterpriseIn } from '#aws/worlds/connect-settings.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';

export function settlePorts(env: Env, ports: RunPorts) {
  const dynamodb = createDynamoDb(env);
  const table = setting(env, 'VAULT_TABLE');
  return {
    connections: createConnectionRecords(dynamodb, table),
    credentials: createCredentialRecords(dynamodb, table),
    ...toldTo(ports),
    stamp: ports.stamp,
  } satisfies SettlePorts;
}

/** In the log, `cause` names the call that goes on or ends; a list of tools has no call. */
function toldTo(ports: RunPorts): Pick<SettlePorts, 'resume' | 'decline'> {
  const to = ({ session, thread, call }: WaitingCall) => {
    return { key: { session, thread }, cause: `connect for ${call ?? 'tools'}` };
  };
  return {
    resume: (waiting) => {
      const { call, sincePosition } = waiting;
      return endWait(ports, to(waiting), { do: 'resume', call, sincePosition });
    },
    decline: (waiting, reason) => {
      const { call, sincePosition } = waiting;
      return endWait(ports, to(waiting), { do: 'decline', call, sincePosition, reason });
    },
  };
}

/** The API also makes connections and says how they stand. */
export function requestConnectionPorts(env: Env, ports: RunPorts): RequestConnectionPorts {
  const dynamodb = createDynamoDb(env);
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

/** A list of tools waits as long as its session exists. */
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
