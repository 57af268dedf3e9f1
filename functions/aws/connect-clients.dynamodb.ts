/** Clients that authorization servers have registered for us: a row each, and a secret in Secrets Manager if they have one. */
import { createHash } from 'node:crypto';
import { DeleteItemCommand, GetItemCommand, PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  ResourceExistsException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { WorkspaceId } from '#contract/ids.ts';
import { Flow, type ConnectClients } from '#core/connect/connect-records.ts';
import { Fault } from '#core/errors.ts';
import { isLostRace } from '#aws/records-change.dynamodb.ts';
import { bodyOf, recordsUnavailable, type Item } from '#aws/records-item.ts';

export interface ConnectClientsOptions {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly secretsManager: SecretsManagerClient;
  /** The ARN with which that of every client's secret begins. */
  readonly secretsPrefix: string;
  /** A client that was registered for another one is of no use. */
  readonly redirectUrl: string;
}

export function createConnectClients(options: ConnectClientsOptions): ConnectClients {
  const { dynamodb, table: TableName, secretsManager } = options;
  const keyOf = (workspace: WorkspaceId, issuer: string): Item => ({
    pk: { S: `${workspace}#CLIENT#${sha256(`${issuer}\n${options.redirectUrl}`)}` },
    sk: { S: 'CLIENT' },
  });

  async function find(workspace: WorkspaceId, issuer: string): Promise<Flow['client'] | null> {
    const { Item } = await dynamodb
      .send(new GetItemCommand({ TableName, Key: keyOf(workspace, issuer), ConsistentRead: true }))
      .catch(recordsUnavailable);
    return Item === undefined ? null : bodyOf(Item, 'body', Flow.shape.client);
  }

  /** Named after the client, so that of two registrations at once each has its own. */
  async function keep(workspace: WorkspaceId, name: string, secret: string): Promise<string> {
    const id = `${options.secretsPrefix}/${workspace}/${sha256(name)}`;
    const Name = id.replace(/^.*:secret:/, '');
    const Description = 'Of a client that an authorization server has registered';
    try {
      await secretsManager.send(new CreateSecretCommand({ Name, Description, SecretString: secret }));
    } catch (cause) {
      // A client's id is issued once, so what is there is its secret.
      if (!(cause instanceof ResourceExistsException)) throw secretUnavailable('stored', cause);
    }
    return id;
  }

  return {
    find,

    async save(workspace, issuer, { id, auth, secret: value }) {
      const secret = value === null ? null : await keep(workspace, `${issuer}\n${id}`, value);
      const client: Flow['client'] = { id, auth, secret };
      const Item = { ...keyOf(workspace, issuer), workspace: { S: workspace }, body: { S: JSON.stringify(client) } };
      const command = new PutItemCommand({ TableName, Item, ConditionExpression: 'attribute_not_exists(pk)' });
      try {
        await dynamodb.send(command);
        return client;
      } catch (cause) {
        if (!isLostRace(cause)) return recordsUnavailable(cause);
        return (await find(workspace, issuer)) ?? client;
      }
    },

    async secretOf({ secret }) {
      if (secret === null) return null;
      try {
        const { SecretString } = await secretsManager.send(new GetSecretValueCommand({ SecretId: secret }));
        if (SecretString !== undefined) return SecretString;
      } catch (cause) {
        throw secretUnavailable('read', cause);
      }
      throw secretUnavailable('read');
    },

    async forget(workspace, issuer, clientId) {
      const known = await find(workspace, issuer);
      if (known?.id !== clientId) return;
      const command = new DeleteItemCommand({
        TableName,
        Key: keyOf(workspace, issuer),
        ConditionExpression: 'body = :body',
        ExpressionAttributeValues: { ':body': { S: JSON.stringify(known) } },
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

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function secretUnavailable(done: 'stored' | 'read', cause?: unknown): Fault {
  return new Fault('secret_unavailable', `the secret of an authorization server's client could not be ${done}`, {
    cause,
  });
}
