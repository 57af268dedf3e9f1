/** Clients that authorization servers have registered: a row each, and a secret in Secrets Manager for those that have one. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { WorkspaceId } from '#contract/ids.ts';
import { ConnectionAttempt, type RegisteredClients } from '#core/ports/connection-records.ts';
import type { ClientSecrets } from '#aws/connect/client-secrets.secrets-manager.ts';
import { bodyOf } from '#aws/row.ts';
import { sha256 } from '#aws/stamp.ts';
import { createTable, IS_NEW, type Key } from '#aws/table.ts';

interface RegisteredClientsOptions {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly secrets: ClientSecrets;
  /** Of the redirect URLs: a client that was registered for others cannot be used. */
  readonly baseUrl: string;
}

export function createRegisteredClients(options: RegisteredClientsOptions): RegisteredClients {
  const { secrets } = options;
  const table = createTable(options.dynamodb, options.table);
  const keyOf = (workspace: WorkspaceId, issuer: string): Key => ({
    pk: `${workspace}#CLIENT#${sha256(`${issuer}\n${options.baseUrl}`)}`,
    sk: 'CLIENT',
  });

  async function find(workspace: WorkspaceId, issuer: string): Promise<ConnectionAttempt['client'] | null> {
    const row = await table.get(keyOf(workspace, issuer));
    return row === null || row['forgotten'] === true ? null : bodyOf(row, 'body', ConnectionAttempt.shape.client);
  }

  return {
    find,

    async save(workspace, issuer, { id, auth, secret: value }) {
      // The client's id is in the name, so that two registrations at once have two secrets.
      const secret = value === null ? null : await secrets.keep(`${workspace}/${sha256(`${issuer}\n${id}`)}`, value);
      const client: ConnectionAttempt['client'] = { id, auth, secret };
      const row = { ...keyOf(workspace, issuer), workspace, body: JSON.stringify(client) };
      const isForgotten = 'attribute_exists(forgotten)';
      const { status } = await table.put(row, { when: [`${IS_NEW} OR ${isForgotten}`] });
      return status === 'saved' ? client : ((await find(workspace, issuer)) ?? client);
    },

    async secretOf({ secret }) {
      return secret === null ? null : secrets.read(secret);
    },

    async forget(workspace, issuer, clientId) {
      const known = await find(workspace, issuer);
      if (known?.id !== clientId) return;
      // If the condition does not hold, another function has registered anew already.
      const isUnchanged = 'body = :body';
      await table.update(keyOf(workspace, issuer), {
        when: [isUnchanged],
        values: { body: JSON.stringify(known) },
        set: { forgotten: true },
      });
    },
  };
}
