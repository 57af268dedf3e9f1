import * as z from 'zod';
import type { BucketPart, KeyPart, SecretPart, TablePart } from './parts.ts';
import type { Stack } from './stack.ts';

const KeySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.string() }));
const Index = z.object({ IndexName: z.string(), KeySchema, Projection: z.record(z.string(), z.unknown()) });

/** Encryption, recovery, replicas, streams and throughput have no meaning on one machine and are left out. */
const Table = z.object({
  AttributeDefinitions: z.array(z.object({ AttributeName: z.string(), AttributeType: z.string() })),
  KeySchema,
  GlobalSecondaryIndexes: z.array(Index).optional(),
  LocalSecondaryIndexes: z.array(Index).optional(),
  TimeToLiveSpecification: z.object({ AttributeName: z.string().optional(), Enabled: z.coerce.boolean() }).optional(),
});

export function tableParts(stack: Stack): readonly TablePart[] {
  return stack.of(Table, 'AWS::DynamoDB::GlobalTable', 'AWS::DynamoDB::Table').map(({ name, arn, properties }) => {
    const { TimeToLiveSpecification: ttl, ...keys } = properties;
    return {
      name,
      arn,
      createTable: { TableName: name, BillingMode: 'PAY_PER_REQUEST', ...keys },
      ttlAttribute: ttl?.Enabled === true ? (ttl.AttributeName ?? null) : null,
    };
  });
}

const Bucket = z.object({ ObjectLockConfiguration: z.unknown().optional() });

export function bucketParts(stack: Stack): readonly BucketPart[] {
  return stack.of(Bucket, 'AWS::S3::Bucket').map(({ name, arn, properties }) => ({
    name,
    arn,
    hasLock: properties.ObjectLockConfiguration !== undefined,
  }));
}

const Secret = z.object({
  GenerateSecretString: z.record(z.string(), z.unknown()).optional(),
  SecretString: z.string().optional(),
});

export function secretParts(stack: Stack): readonly SecretPart[] {
  return stack.of(Secret, 'AWS::SecretsManager::Secret').map(({ logicalId, name, arn, properties }) => {
    const { GenerateSecretString: generate = null, SecretString: value = null } = properties;
    return { logicalId, name, arn, generate, value };
  });
}

/** What CDK gives a key: the account's policies decide, and the key's own adds nothing to them. */
const DelegatingPolicy = z.object({
  Statement: z.tuple([
    z.strictObject({
      Effect: z.literal('Allow'),
      Action: z.literal('kms:*'),
      Principal: z.strictObject({ AWS: z.string().regex(/:root$/, 'must be the account') }),
      Resource: z.literal('*'),
    }),
  ]),
});

const KeySpec = z.enum(['SYMMETRIC_DEFAULT', 'ECC_NIST_P256']);
const USAGES = { SYMMETRIC_DEFAULT: 'ENCRYPT_DECRYPT', ECC_NIST_P256: 'SIGN_VERIFY' } as const;

const Key = z
  .object({
    KeyPolicy: DelegatingPolicy,
    KeySpec: KeySpec.default('SYMMETRIC_DEFAULT'),
    KeyUsage: z.string().default('ENCRYPT_DECRYPT'),
  })
  .refine(({ KeySpec: spec, KeyUsage: usage }) => usage === USAGES[spec], 'KeyUsage does not go with KeySpec');

/** @throws for a key with a policy of its own, because roles alone are judged here */
export function keyParts(stack: Stack): readonly KeyPart[] {
  return stack.of(Key, 'AWS::KMS::Key').map(({ ref: id, arn, properties }) => ({ id, arn, spec: properties.KeySpec }));
}
