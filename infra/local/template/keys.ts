import * as z from 'zod';
import type { KeyPart } from './parts.ts';
import { arnOf } from './functions.ts';
import type { Stack } from './stack.ts';

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

const KeyProperties = z.object({ KeyPolicy: DelegatingPolicy, KeySpec: z.literal('SYMMETRIC_DEFAULT').optional() });

/** @throws for a key with a policy of its own, because roles alone are judged here */
export function keyParts(stack: Stack): readonly KeyPart[] {
  return stack.of('AWS::KMS::Key').map((resource) => {
    stack.read(resource, KeyProperties);
    const { ref, attributes } = stack.identity(resource);
    return { id: ref, arn: arnOf(attributes) };
  });
}
