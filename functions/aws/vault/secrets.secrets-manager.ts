/** Secrets in AWS Secrets Manager: one per credential, with a version for each write that holds only what was written. */
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
import { fieldsOf, secretInvalid, secretUnavailable, storeOf, type Store } from '#aws/vault/secret-pointers.ts';

const STORE: Store = 'secrets-manager';

/** Of one version's text. */
const MAX_BYTES = 65_536;

const Version = z.partialRecord(SecretField, z.string());

/** `prefix` is the ARN with which every secret's begins. */
export function createSecretsManagerWriter(client: SecretsManagerClient, prefix: string): SecretWriter {
  return {
    async write(place, _type, values, inForce = {}) {
      if (fieldsOf(values).length === 0) return {};
      const exists = fieldsOf(inForce).some(([, pointer]) => storeOf(pointer) === STORE);
      if (!exists) await create(place);
      const pointers = await Promise.all(versionsOf(values).map((version) => put(place, version)));
      return Object.assign({}, ...pointers);
    },
    async remove(place) {
      // Without recovery, a secret that does not exist is no error.
      const command = new DeleteSecretCommand({ SecretId: idOf(prefix, place), ForceDeleteWithoutRecovery: true });
      await client.send(command).catch(secretUnavailable(place, 'removed'));
    },
  };

  /** Empty: a version that comes with its secret can be given no label of ours. */
  async function create(place: CredentialPlace): Promise<void> {
    const Name = idOf(prefix, place).replace(/^.*:secret:/, '');
    try {
      await client.send(new CreateSecretCommand({ Name, Description: 'A credential, as its vault keeps it' }));
    } catch (cause) {
      if (!(cause instanceof ResourceExistsException)) secretUnavailable(place, 'stored')(cause);
    }
  }

  async function put(place: CredentialPlace, values: SecretValues): Promise<SecretPointers> {
    const version = randomUUID();
    const fields = fieldsOf(values).map(([field]) => field);
    const command = new PutSecretValueCommand({
      SecretId: idOf(prefix, place),
      // The client repeats a request with its token, and a repeat makes no second version.
      ClientRequestToken: version,
      SecretString: JSON.stringify(values),
      // AWS may delete a version without a label. A field's label stays where the field was last written.
      VersionStages: ['AWSCURRENT', ...fields],
    });
    await client.send(command).catch(secretUnavailable(place, 'stored'));
    return Object.fromEntries(fields.map((field) => [field, `${STORE}:${version}`]));
  }
}

/** All fields together where they fit, else each by itself. */
function versionsOf(values: SecretValues): readonly SecretValues[] {
  if (Buffer.byteLength(JSON.stringify(values)) <= MAX_BYTES) return [values];
  return fieldsOf(values).map(([field, value]) => ({ [field]: value }));
}

/** `prefix` is the ARN with which every secret's begins. */
export function createSecretsManagerReader(client: SecretsManagerClient, prefix: string): SecretReader {
  return {
    async read(place, pointers) {
      const wanted = fieldsOf(pointers);
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
      .send(new GetSecretValueCommand({ SecretId: idOf(prefix, place), VersionId }))
      .catch(secretUnavailable(place, 'read'));
    try {
      return Version.parse(JSON.parse(SecretString));
    } catch {
      return secretInvalid(place, 'does not have its shape');
    }
  }
}

function idOf(prefix: string, { workspace, vault, credential }: CredentialPlace): string {
  return `${prefix}/${workspace}/${vault}/${credential}`;
}
