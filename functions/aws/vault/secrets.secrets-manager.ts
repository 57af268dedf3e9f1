/** Secrets in AWS Secrets Manager: one per credential, and in it a version for each write, with the written fields only. */
import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import {
  SecretField,
  type SecretPointers,
  type SecretReader,
  type SecretValues,
  type SecretWriter,
} from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import { secretFields, secretInvalid, secretUnavailable, storeOf, type Store } from '#aws/vault/secret-pointers.ts';

const STORE: Store = 'secrets-manager';

/** The limit of AWS for the text of one version. */
const MAX_BYTES = 65_536;

const Version = z.partialRecord(SecretField, z.string());

/** `prefix` is the ARN prefix of all secrets. */
export function createSecretsManagerWriter(client: SecretsManagerClient, prefix: string): SecretWriter {
  return {
    async write(place, _type, values, inForce = {}) {
      if (secretFields(values).length === 0) return {};
      const exists = secretFields(inForce).some(([, pointer]) => storeOf(pointer) === STORE);
      if (!exists) await create(place);
      const pointers = await Promise.all(versionsOf(values).map((version) => put(place, version)));
      return Object.assign({}, ...pointers);
    },
    async remove(place) {
      // Without recovery, the removal of a secret that does not exist is no error.
      const command = new DeleteSecretCommand({ SecretId: secretId(prefix, place), ForceDeleteWithoutRecovery: true });
      await client.send(command).catch(secretUnavailable(place, 'removed'));
    },
  };

  /** Creates an empty secret: AWS gives a version that is created with its secret no label of the caller's. */
  async function create(place: CredentialPlace): Promise<void> {
    const Name = secretId(prefix, place).replace(/^.*:secret:/, '');
    try {
      await client.send(new CreateSecretCommand({ Name, Description: 'A credential, as its vault keeps it' }));
    } catch (cause) {
      if (!(cause instanceof ResourceExistsException)) secretUnavailable(place, 'stored')(cause);
    }
  }

  async function put(place: CredentialPlace, values: SecretValues): Promise<SecretPointers> {
    const version = randomUUID();
    const fields = secretFields(values).map(([field]) => field);
    const command = new PutSecretValueCommand({
      SecretId: secretId(prefix, place),
      // The SDK repeats a request with its token, so that a repeat makes no second version.
      ClientRequestToken: version,
      SecretString: JSON.stringify(values),
      // AWS may delete a version without a label. The label of a field stays at the version that last wrote the field.
      VersionStages: ['AWSCURRENT', ...fields],
    });
    await client.send(command).catch(secretUnavailable(place, 'stored'));
    return Object.fromEntries(fields.map((field) => [field, `${STORE}:${version}`]));
  }
}

/** All fields in one version when they fit, else one version for each field. */
function versionsOf(values: SecretValues): readonly SecretValues[] {
  if (Buffer.byteLength(JSON.stringify(values)) <= MAX_BYTES) return [values];
  return secretFields(values).map(([field, value]) => ({ [field]: value }));
}

/** `prefix` is the ARN prefix of all secrets. */
export function createSecretsManagerReader(client: SecretsManagerClient, prefix: string): SecretReader {
  return {
    async read(place, pointers) {
      const wanted = secretFields(pointers);
      const distinct = [...new Set(wanted.map(([, pointer]) => pointer))];
      const versions = new Map(await Promise.all(distinct.map(async (one) => [one, await get(place, one)] as const)));
      const values = wanted.map(([field, pointer]) => {
        return [field, versions.get(pointer)?.[field] ?? secretInvalid(place, `has a version without its ${field}`)];
      });
      return Object.fromEntries(values);
    },
  };

  async function get(place: CredentialPlace, pointer: string): Promise<SecretValues> {
    const VersionId = pointer.slice(`${STORE}:`.length);
    const { SecretString = '' } = await client
      .send(new GetSecretValueCommand({ SecretId: secretId(prefix, place), VersionId }))
      .catch(secretUnavailable(place, 'read'));
    try {
      return Version.parse(JSON.parse(SecretString));
    } catch {
      return secretInvalid(place, 'does not have its shape');
    }
  }
}

function secretId(prefix: string, { workspace, vault, credential }: CredentialPlace): string {
  return `${prefix}/${workspace}/${vault}/${credential}`;
}
