import { paginateScan, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { engineClient } from '#test/runtime/engine-client.ts';
import type { Service } from '#test/journeys/service.ts';

const HOUR_MS = 3_600_000;

/** Spends what each limit that counts already would give in the next hour, so that a test of it may take its time. */
export async function spendLimits({ runtime }: Pick<Service, 'runtime'>): Promise<void> {
  const client = engineClient(runtime);
  const spentUntil = String((Date.now() + HOUR_MS) * 1000);
  for (const { name: TableName } of runtime.template.tables) {
    for await (const { Items = [] } of paginateScan({ client }, { TableName })) {
      for (const { pk, sk } of Items) {
        if (pk?.S?.startsWith('limit#') !== true || sk === undefined) continue;
        const UpdateExpression = 'SET spentUntil = :until';
        const ExpressionAttributeValues = { ':until': { N: spentUntil } };
        const update = { TableName, Key: { pk, sk }, UpdateExpression, ExpressionAttributeValues };
        await client.send(new UpdateItemCommand(update));
      }
    }
  }
  client.destroy();
}
