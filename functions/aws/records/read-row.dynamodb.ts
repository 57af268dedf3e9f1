import { GetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { recordsUnavailable, type Item } from '#aws/records/records-item.ts';

/** A row as it is now: every write that was answered is in it. */
export async function readRow(dynamodb: DynamoDBClient, table: string, Key: Item): Promise<Item | undefined> {
  const command = new GetItemCommand({ TableName: table, Key, ConsistentRead: true });
  return (await dynamodb.send(command).catch(recordsUnavailable)).Item;
}
