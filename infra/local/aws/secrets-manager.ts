import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Access, Service } from './service.ts';
import type { SecretPart } from '../template/parts.ts';
import { ACCOUNT, REGION } from '../template/identities.ts';
import { jsonService, optionalText, requiredText, type Input, type JsonOperation } from './json-service.ts';
import { generateSecret } from './secrets-manager/generate.ts';
import { openSecretStore, type Secret, type SecretStore, type Version } from './secrets-manager/store.ts';
import { currentVersion, newSecret, withVersion } from './secrets-manager/versions.ts';
import { AwsFault } from './wire.ts';

const MAX_VALUE_BYTES = 65_536;

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
    const secret = newSecret({ name: part.name, arn: part.arn, description: null });
    store.save(value === null ? secret : withVersion(secret, asCurrent(value)).secret);
  }
  const existing = (which: string): Secret => {
    const part = secrets.find(({ logicalId }) => logicalId === which);
    return find(store, part?.name ?? which);
  };
  const service = jsonService({ name: 'secretsmanager', operations: operations(store) });
  return {
    ...service,
    setSecret: (which, value) => {
      const secret = existing(which);
      if (currentVersion(secret)?.value !== value) store.save(withVersion(secret, asCurrent(value)).secret);
    },
    readSecret: (which) => currentVersion(existing(which))?.value ?? null,
  };
}

function operations(store: SecretStore): Readonly<Record<string, JsonOperation>> {
  const onSecret = (action: string, run: (secret: Secret, input: Input) => unknown): JsonOperation => ({
    accesses: (input) => [secretAccess(store, `secretsmanager:${action}`, requiredText(input, 'SecretId'))],
    run: (input) => run(find(store, requiredText(input, 'SecretId')), input),
  });
  const put = (secret: Secret, input: Input): unknown => {
    const given = givenValue(input);
    const known = secret.versions.find(({ id }) => id === given.token);
    if (known !== undefined && known.value !== given.value) {
      throw new AwsFault('ResourceExistsException', 'a version with this ClientRequestToken holds another value');
    }
    if (known !== undefined) return outline(secret, known);
    const next = withVersion(secret, given);
    store.save(next.secret);
    return outline(next.secret, next.version);
  };
  return {
    CreateSecret: createOperation(store),
    GetSecretValue: onSecret('GetSecretValue', (secret, input) => valueOf(secret, chosenVersion(secret, input))),
    PutSecretValue: onSecret('PutSecretValue', put),
    UpdateSecret: onSecret('UpdateSecret', (secret, input) => {
      const described = { ...secret, description: optionalText(input, 'Description') ?? secret.description };
      store.save(described);
      return holdsValue(input) ? put(described, input) : { ARN: secret.arn, Name: secret.name };
    }),
    DescribeSecret: onSecret('DescribeSecret', describeSecret),
    DeleteSecret: {
      accesses: (input) => [secretAccess(store, 'secretsmanager:DeleteSecret', requiredText(input, 'SecretId'))],
      run: (input) => remove(store, requiredText(input, 'SecretId'), input['ForceDeleteWithoutRecovery'] === true),
    },
  };
}

function describeSecret({ arn, name, description, createdAt, changedAt, versions }: Secret): unknown {
  const staged = versions.filter(({ stages }) => stages.length > 0);
  return {
    ARN: arn,
    Name: name,
    ...(description === null ? {} : { Description: description }),
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

function createOperation(store: SecretStore): JsonOperation {
  const arnOf = (name: string, suffix: string): string => {
    return `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}-${suffix}`;
  };
  return {
    accesses: (input) => {
      const resource = arnOf(requiredText(input, 'Name'), '??????');
      const tags = input['Tags'] === undefined ? [] : ['secretsmanager:TagResource'];
      return ['secretsmanager:CreateSecret', ...tags].map((action) => ({ action, resource, context: {} }));
    },
    run: (input) => {
      const name = requiredText(input, 'Name');
      const existing = store.find(name);
      if (existing !== null) return sameAgain(existing, input);
      const arn = arnOf(name, randomBytes(3).toString('hex'));
      const made = newSecret({ name, arn, description: optionalText(input, 'Description') });
      if (!holdsValue(input)) {
        store.save(made);
        return { ARN: arn, Name: name };
      }
      const next = withVersion(made, { ...givenValue(input), stages: ['AWSCURRENT'] });
      store.save(next.secret);
      return outline(next.secret, next.version);
    },
  };
}

/** A repeat of the request that made the secret is answered as it was. */
function sameAgain(secret: Secret, input: Input): unknown {
  const token = optionalText(input, 'ClientRequestToken');
  const made = secret.versions.find(({ id }) => id === token);
  if (made !== undefined && made.value === givenValue(input).value) return outline(secret, made);
  throw new AwsFault('ResourceExistsException', `secret ${secret.name} exists already`);
}

function holdsValue(input: Input): boolean {
  return input['SecretString'] !== undefined || input['SecretBinary'] !== undefined;
}

function secretAccess(store: SecretStore, action: string, which: string): Access {
  const named = `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${which}-??????`;
  const resource = store.find(which)?.arn ?? (which.startsWith('arn:') ? which : named);
  return { action, resource, context: {} };
}

function find(store: SecretStore, which: string): Secret {
  const secret = store.find(which);
  if (secret === null) throw new AwsFault('ResourceNotFoundException', `there is no secret ${which}`);
  return secret;
}

function asCurrent(value: string): Parameters<typeof withVersion>[1] {
  return { value, binary: false, token: null, stages: ['AWSCURRENT'] };
}

function givenValue(input: Input): Parameters<typeof withVersion>[1] {
  const text = optionalText(input, 'SecretString');
  const binary = optionalText(input, 'SecretBinary');
  const value = text ?? binary;
  if (value === null) throw new AwsFault('InvalidParameterException', 'SecretString or SecretBinary is required');
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES) {
    throw new AwsFault('ValidationException', `a secret's value has at most ${MAX_VALUE_BYTES} bytes`);
  }
  const stages = input['VersionStages'];
  return {
    value,
    binary: text === null,
    token: optionalText(input, 'ClientRequestToken'),
    stages: Array.isArray(stages) ? stages.map(String) : ['AWSCURRENT'],
  };
}

function chosenVersion(secret: Secret, input: Input): Version {
  const id = optionalText(input, 'VersionId');
  const stage = optionalText(input, 'VersionStage') ?? (id === null ? 'AWSCURRENT' : null);
  const version = secret.versions.find((one) => {
    return (id === null || one.id === id) && (stage === null || one.stages.includes(stage));
  });
  if (version === undefined) {
    throw new AwsFault('ResourceNotFoundException', `secret ${secret.name} has no value for ${id ?? stage}`);
  }
  return version;
}

function valueOf(secret: Secret, version: Version): unknown {
  const value = version.binary ? { SecretBinary: version.value } : { SecretString: version.value };
  return { ...outline(secret, version), ...value, CreatedDate: version.createdAt / 1000 };
}

function outline(secret: Secret, version: Version): Readonly<Record<string, unknown>> {
  return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: version.stages };
}
