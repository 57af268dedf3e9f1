import * as z from 'zod';
import type { TablePart } from './parts.ts';
import { arnOf } from './functions.ts';
import type { Stack } from './stack.ts';

const KeySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.string() }));
const Index = z.object({ IndexName: z.string(), KeySchema, Projection: z.record(z.string(), z.unknown()) });

/** Encryption, recovery, replicas and throughput have no meaning on one machine and are left out. */
const TableProperties = z.object({
  AttributeDefinitions: z.array(z.object({ AttributeName: z.string(), AttributeType: z.string() })),
  KeySchema,
  GlobalSecondaryIndexes: z.array(Index).optional(),
  LocalSecondaryIndexes: z.array(Index).optional(),
  StreamSpecification: z.object({ StreamViewType: z.string() }).optional(),
  TimeToLiveSpecification: z.object({ AttributeName: z.string().optional(), Enabled: z.coerce.boolean() }).optional(),
});

export function tableParts(stack: Stack): readonly TablePart[] {
  return stack.of('AWS::DynamoDB::GlobalTable', 'AWS::DynamoDB::Table').map((resource) => {
    const {
      TimeToLiveSpecification: ttl,
      StreamSpecification: stream,
      ...keys
    } = stack.read(resource, TableProperties);
    const identity = stack.identity(resource);
    return {
      name: identity.name,
      arn: arnOf(identity.attributes),
      createTable: {
        TableName: identity.name,
        BillingMode: 'PAY_PER_REQUEST',
        ...keys,
        ...(stream === undefined ? {} : { StreamSpecification: { StreamEnabled: true, ...stream } }),
      },
      ttlAttribute: ttl?.Enabled === true ? (ttl.AttributeName ?? null) : null,
    };
  });
}
