import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Runtime } from '#infra/local/runtime.ts';

/** Reads and writes the tables of a runtime itself: no role limits it, and no meter counts it. */
export function engineClient({ aws, template }: Pick<Runtime, 'aws' | 'template'>): DynamoDBClient {
  const { endpoint, agent } = aws.dynamoDb.place();
  return new DynamoDBClient({
    endpoint,
    requestHandler: { httpAgent: agent },
    region: template.region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
}
