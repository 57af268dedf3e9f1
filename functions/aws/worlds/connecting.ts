/** The ports that finish a connection: its record, the credential that it stores, and the sessions that wait for it. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WaitingCall } from '#core/ports/connection-records.ts';
import type { SettlePorts } from '#core/connect/connect-world.ts';
import type { RunPorts } from '#core/session/repair.ts';
import { declineCall, resumeCall } from '#core/session/send.ts';
import { createConnectionRecords } from '#aws/connect/connection-records.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';

export function settlePorts(env: Env, ports: RunPorts) {
  const dynamodb = new DynamoDBClient();
  const table = setting(env, 'VAULT_TABLE');
  return {
    connections: createConnectionRecords(dynamodb, table),
    credentials: createCredentialRecords(dynamodb, table),
    ...toldTo(ports),
    stamp: ports.stamp,
  } satisfies SettlePorts;
}

/** In the log, the call's own id says why it went on, or ended; a list has none. */
function toldTo(ports: RunPorts): Pick<SettlePorts, 'resume' | 'decline'> {
  const waiter = ({ session, thread, call }: WaitingCall) => {
    return { key: { session, thread }, cause: `connect for ${call ?? 'tools'}` };
  };
  return {
    resume: (waiting) =>
      resumeCall(ports, waiter(waiting), { call: waiting.call, sincePosition: waiting.sincePosition }),
    decline: (waiting, reason) =>
      declineCall(ports, waiter(waiting), { call: waiting.call, sincePosition: waiting.sincePosition, reason }),
  };
}
