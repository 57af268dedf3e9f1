import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import type { Service } from '../service.ts';
import type { SecretPart } from '../../template/parts.ts';
import { ACCOUNT, REGION } from '../../template/identities.ts';
import { jsonService, operation, type ReadOperation } from '../json-service.ts';
import { generateSecret } from './generate.ts';
import { openSecretStore, type Secret, type SecretStore, type Version } from './store.ts';
import { currentVersion, newSecret, withVersion, type NewValue } from './versions.ts';
import { AwsFault } from '../wire.ts';

const MAX_VALUE_BYTES = 65_536;
const ARN = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:`;

const SecretString = z
  .string()
  .refine((value) => Buffer.byteLength(value) <= MAX_VALUE_BYTES, `a value has at most ${MAX_VALUE_BYTES} bytes`);
const CreateSecret = z.object({
  Name: z.string().min(1),
  ClientRequestToken: z.string().optional(),
  SecretString: SecretString.optional(),
  SecretBinary: z.never().optional(),
  Tags: z.array(z.unknown()).optional(),
});
const PutSecretValue = z.object({
  SecretId: z.string().min(1),
  ClientRequestToken: z.string().optional(),
  SecretString,
  VersionStages: z.array(z.string()).optional(),
});
const GetSecretValue = z.object({
  SecretId: z.string().min(1),
  VersionId: z.string().optional(),
  VersionStage: z.string().optional(),
});
const DescribeSecret = z.object({ SecretId: z.string().min(1) });
const DeleteSecret = z.object({
  SecretId: z.string().min(1),
  ForceDeleteWithoutRecovery: z.boolean().default(false),
});

export interface SecretsManager extends Service {
  /** Sets a secret's value from outside (the model's key, say); the secret is named by logical id, name or ARN. */
  setSecret(which: string, value: string): void;
  /** The current value; null when the secret has none yet. */
  readSecret(which: string): string | null;
}

/** File-backed secrets. A template's secret is made on the first start and keeps its value afterwards. */
export function openSecretsManager(secrets: readonly SecretPart[], dataDir: string): SecretsManager {
  const store = openSecretStore(join(dataDir, 'secrets'));
  for (const part of secrets) {
    if (store.find(part.name) !== null) continue;
    const value = part.value ?? (part.generate === null ? null : generateSecret(part.generate));
    const secret = newSecret(part.name, part.arn);
    store.save(value === null ? secret : withVersion(secret, { value }).secret);
  }
  const existing = (which: string): Secret => {
    const part = secrets.find(({ logicalId }) => logicalId === which);
    return find(store, part?.name ?? which);
  };
  return {
    ...jsonService({ name: 'secretsmanager', operations: operations(store) }),
    setSecret: (which, value) => {
      const secret = existing(which);
      if (currentVersion(secret)?.value !== value) store.save(withVersion(secret, { value }).secret);
    },
    readSecret: (which) => currentVersion(existing(which))?.value ?? null,
  };
}

function operations(store: SecretStore): Readonly<Record<string, ReadOperation>> {
  const on = (action: string, which: string, run: () => unknown) => {
    const named = which.startsWith('arn:') ? which : `${ARN}${which}-??????`;
    const resource = store.find(which)?.arn ?? named;
    return { accesses: [{ action: `secretsmanager:${action}`, resource, context: {} }], run };
  };
  return {
    CreateSecret: operation(CreateSecret, (input) => {
      const actions = ['CreateSecret', ...(input.Tags === undefined ? [] : ['TagResource'])];
      const resource = `${ARN}${input.Name}-??????`;
      const accesses = actions.map((action) => ({ action: `secretsmanager:${action}`, resource, context: {} }));
      return { accesses, run: () => createSecret(store, input) };
    }),
    GetSecretValue: operation(GetSecretValue, (input) =>
      on('GetSecretValue', input.SecretId, () => valueOf(find(store, input.SecretId), input)),
    ),
    PutSecretValue: operation(PutSecretValue, (input) =>
      on('PutSecretValue', input.SecretId, () => {
        const { SecretString: value, ClientRequestToken: token, VersionStages: stages } = input;
        return put(store, find(store, input.SecretId), { value, token, stages });
      }),
    ),
    DescribeSecret: operation(DescribeSecret, ({ SecretId }) =>
      on('DescribeSecret', SecretId, () => describeSecret(find(store, SecretId))),
    ),
    DeleteSecret: operation(DeleteSecret, ({ SecretId, ForceDeleteWithoutRecovery: isForced }) =>
      on('DeleteSecret', SecretId, () => remove(store, SecretId, isForced)),
    ),
  };
}

/** A repeat of the request that made the secret is answered as it was. */
function createSecret(store: SecretStore, input: z.infer<typeof CreateSecret>): unknown {
  const { Name, ClientRequestToken: token, SecretString: value } = input;
  const existing = store.find(Name);
  if (existing !== null && !existing.versions.some(({ id }) => id === token)) {
    throw new AwsFault('ResourceExistsException', `secret ${Name} exists already`);
  }
  const secret = existing ?? newSecret(Name, `${ARN}${Name}-${randomBytes(3).toString('hex')}`);
  if (value !== undefined) return put(store, secret, { value, token });
  store.save(secret);
  return { ARN: secret.arn, Name };
}

/** A repeat of a request makes no second version. */
function put(store: SecretStore, secret: Secret, given: NewValue): unknown {
  const known = secret.versions.find(({ id }) => id === given.token);
  if (known !== undefined && known.value !== given.value) {
    throw new AwsFault('ResourceExistsException', 'a version with this ClientRequestToken holds another value');
  }
  if (known !== undefined) return outline(secret, known);
  const next = withVersion(secret, given);
  store.save(next.secret);
  return outline(next.secret, next.version);
}

function describeSecret({ arn, name, createdAt, changedAt, versions }: Secret): unknown {
  const staged = versions.filter(({ stages }) => stages.length > 0);
  return {
    ARN: arn,
    Name: name,
    CreatedDate: createdAt / 1000,
    LastChangedDate: changedAt / 1000,
    VersionIdsToStages: Object.fromEntries(staged.map(({ id, stages }) => [id, stages])),
  };
}

/** A recovery window would only keep names occupied here: a deleted secret is gone at once. */
function remove(store: SecretStore, which: string, isForced: boolean): unknown {
  const DeletionDate = Date.now() / 1000;
  const secret = isForced ? store.find(which) : find(store, which);
  if (secret === null) return { Name: which, DeletionDate };
  store.remove(secret);
  return { ARN: secret.arn, Name: secret.name, DeletionDate };
}

function find(store: SecretStore, which: string): Secret {
  const secret = store.find(which);
  if (secret === null) throw new AwsFault('ResourceNotFoundException', `there is no secret ${which}`);
  return secret;
}

function valueOf(secret: Secret, { VersionId: id, VersionStage }: z.infer<typeof GetSecretValue>): unknown {
  const stage = VersionStage ?? (id === undefined ? 'AWSCURRENT' : undefined);
  const version = secret.versions.find((one) => {
    return (id === undefined || one.id === id) && (stage === undefined || one.stages.includes(stage));
  });
  if (version === undefined) {
    throw new AwsFault('ResourceNotFoundException', `secret ${secret.name} has no value for ${id ?? stage}`);
  }
  return { ...outline(secret, version), SecretString: version.value, CreatedDate: version.createdAt / 1000 };
}

function outline(secret: Secret, version: Version): Readonly<Record<string, unknown>> {
  return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: version.stages };
}
