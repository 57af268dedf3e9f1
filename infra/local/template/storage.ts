import * as z from 'zod';
import type { BucketPart, SecretPart } from './parts.ts';
import { arnOf } from './functions.ts';
import type { Stack } from './stack.ts';

const SecretProperties = z.object({
  GenerateSecretString: z.record(z.string(), z.unknown()).optional(),
  SecretString: z.string().optional(),
});

export function secretParts(stack: Stack): readonly SecretPart[] {
  return stack.of('AWS::SecretsManager::Secret').map((resource) => {
    const properties = stack.read(resource, SecretProperties);
    const { name, ref } = stack.identity(resource);
    return {
      logicalId: resource.logicalId,
      name,
      arn: ref,
      generate: properties.GenerateSecretString ?? null,
      value: properties.SecretString ?? null,
    };
  });
}

export function bucketParts(stack: Stack): readonly BucketPart[] {
  return stack.of('AWS::S3::Bucket').map((resource) => {
    const { name, attributes } = stack.identity(resource);
    return { name, arn: arnOf(attributes) };
  });
}
