/** Clients that authorization servers have registered for us: a row each, and a secret in Secrets Manager if they have one. */
import { PutItemCommand, UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WorkspaceId } from '#contract/ids.ts';
import { Flow, type ConnectClients } from '#core/ports/connect-records.ts';
import type { ClientSecrets } from '#aws/connect/client-secrets.secrets-manager.ts';
import { readRow, isLostRace } from '#aws/table.ts';
import { bodyOf, recordsUnavailable, type Item } from '#aws/row.ts';
import { sha256 } from '#aws/sha256.ts';

export interface ConnectClientsOptions {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly secrets: ClientSecrets;
  /** A client that was registered for another one is of no use. */
  readonly redirectUrl: string;
}

export function createConnectClients(options: ConnectClientsOptions): ConnectClients {
  const { dynamodb, table: TableName, secrets } = options;
  const keyOf = (workspace: WorkspaceId, issuer: string): Item => ({
    pk: { S: `${workspace}#CLIENT#${sha256(`${issuer}\n${options.redirectUrl}`)}` },
    sk: { S: 'CLIENT' },
  });

  async function find(workspace: WorkspaceId, issuer: string): Promise<Flow['client'] | null> {
    const row = await readRow(dynamodb, TableName, keyOf(workspace, issuer));
    return row === undefined || row['forgotten'] !== undefined ? null : bodyOf(row, 'body', Flow.shape.client);
  }

  return {
    find,

    async save(workspace, issuer, { id, auth, secret: value }) {
      // Named after the client, so that of two registrations at once each has its own.
      const secret = value === null ? null : await secrets.keep(`${workspace}/${sha256(`${issuer}\n${id}`)}`, value);
      const client: Flow['client'] = { id, auth, secret };
      const Item = { ...keyOf(workspace, issuer), workspace: { S: workspace }, body: { S: JSON.stringify(client) } };
      const isFree = 'attribute_not_exists(pk) OR attribute_exists(forgotten)';
      const command = new PutItemCommand({ TableName, Item, ConditionExpression: isFree });
      try {
        await dynamodb.send(command);
        return client;
      } catch (cause) {
        if (!isLostRace(cause)) return recordsUnavailable(cause);
        return (await find(workspace, issuer)) ?? client;
      }
    },

    async secretOf({ secret }) {
      return secret === null ? null : secrets.read(secret);
    },

    async forget(workspace, issuer, clientId) {
      const known = await find(workspace, issuer);
      if (known?.id !== clientId) return;
      const command = new UpdateItemCommand({
        TableName,
        Key: keyOf(workspace, issuer),
        ConditionExpression: 'body = :body',
        UpdateExpression: 'SET forgotten = :true',
        ExpressionAttributeValues: { ':body': { S: JSON.stringify(known) }, ':true': { BOOL: true } },
      });
      try {
        await dynamodb.send(command);
      } catch (cause) {
        // Somebody has registered anew already.
        if (!isLostRace(cause)) recordsUnavailable(cause);
      }
    },
  };
}
