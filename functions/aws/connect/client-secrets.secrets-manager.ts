/** Secrets of OAuth clients in Secrets Manager: those of registered clients, and those that an administrator has put there. */
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  ResourceExistsException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { Fault } from '#core/ports/errors.ts';

export interface ClientSecrets {
  /** Returns the id of the secret. A client's secret is issued once, so a repeat keeps the stored value. */
  keep(name: string, secret: string): Promise<string>;
  read(id: string): Promise<string>;
}

/** `prefix` is the beginning of the ARN of every secret that `keep` stores. */
export function createClientSecrets(client: SecretsManagerClient, prefix: string): ClientSecrets {
  return {
    async keep(name, secret) {
      const id = `${prefix}/${name}`;
      const Name = id.replace(/^.*:secret:/, '');
      const Description = 'Of a client that an authorization server has registered';
      try {
        await client.send(new CreateSecretCommand({ Name, Description, SecretString: secret }));
      } catch (cause) {
        if (!(cause instanceof ResourceExistsException)) throw unavailable('stored', cause);
      }
      return id;
    },

    read: readsClientSecrets(client),
  };
}

/** Reads a secret by its ARN. */
export function readsClientSecrets(client: SecretsManagerClient): ClientSecrets['read'] {
  return async (id) => {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: id })).catch((cause: unknown) => {
      throw unavailable('read', cause);
    });
    if (SecretString === undefined) throw unavailable('read');
    return SecretString.trim();
  };
}

function unavailable(done: 'stored' | 'read', cause?: unknown): Fault {
  return new Fault('secret_unavailable', `the secret of an OAuth client could not be ${done}`, { cause });
}
