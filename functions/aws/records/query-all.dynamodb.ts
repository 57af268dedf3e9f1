import { QueryCommand, type DynamoDBClient, type QueryCommandInput } from '@aws-sdk/client-dynamodb';
import { recordsUnavailable, type Item } from '#aws/records/records-item.ts';

/** Every item of a query, page by page; whoever stops early reads no further page. */
export async function* queryAll(dynamodb: DynamoDBClient, query: QueryCommandInput): AsyncGenerator<Item> {
  let after: Item | undefined;
  do {
    const start = after === undefined ? {} : { ExclusiveStartKey: after };
    const page = await dynamodb.send(new QueryCommand({ ...query, ...start })).catch(recordsUnavailable);
    yield* page.Items ?? [];
    after = page.LastEvaluatedKey;
  } while (after !== undefined);
}
