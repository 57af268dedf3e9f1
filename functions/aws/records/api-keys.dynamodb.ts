/** API keys: a row per SHA-256 of a key. The keys are random and long, so a plain hash cannot be searched backwards. */
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { ApiKey } from '#contract/api-keys.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ApiKeys } from '#core/ports/records.ts';
import { recordsUnavailable, type Item } from '#aws/row.ts';
import { sha256 } from '#aws/sha256.ts';

/** How long a revoked key may go on working in an instance that has seen it. */
const TRUST_MS = 60_000;
const MAX_TRUSTED = 1000;

export function createApiKeys(dynamodb: DynamoDBClient, table: string, nowMs: () => number = Date.now): ApiKeys {
  const trusted = new Map<string, { readonly apiKey: ApiKey; readonly untilMs: number }>();

  function remember(hash: string, apiKey: ApiKey): void {
    const oldest = trusted.keys().next().value;
    if (oldest !== undefined && trusted.size >= MAX_TRUSTED) trusted.delete(oldest);
    trusted.set(hash, { apiKey, untilMs: nowMs() + TRUST_MS });
  }

  return {
    async find(secret) {
      const hash = sha256(secret);
      const known = trusted.get(hash);
      if (known !== undefined && nowMs() < known.untilMs) return known.apiKey;
      trusted.delete(hash);
      const { Item } = await dynamodb
        .send(new GetItemCommand({ TableName: table, Key: keyOf(hash), ConsistentRead: true }))
        .catch(recordsUnavailable);
      if (Item === undefined) return null;
      const apiKey = apiKeyOf(Item);
      remember(hash, apiKey);
      return apiKey;
    },

    async issue(secret, apiKey) {
      const Item = {
        ...keyOf(sha256(secret)),
        id: { S: apiKey.id },
        workspace: { S: apiKey.workspace },
        createdAt: { S: apiKey.createdAt },
      };
      try {
        await dynamodb.send(
          new PutItemCommand({
            TableName: table,
            Item,
            ConditionExpression: 'attribute_not_exists(pk)',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        );
        return apiKey;
      } catch (cause) {
        if (cause instanceof ConditionalCheckFailedException && cause.Item !== undefined) return apiKeyOf(cause.Item);
        return recordsUnavailable(cause);
      }
    },
  };
}

function keyOf(hash: string): Item {
  return { pk: { S: `apikey#${hash}` }, sk: { S: 'apikey' } };
}

function apiKeyOf(item: Item): ApiKey {
  const parsed = ApiKey.safeParse({
    id: item['id']?.S,
    workspace: item['workspace']?.S,
    createdAt: item['createdAt']?.S,
  });
  if (!parsed.success) throw new Fault('stored_data_invalid', 'an API key record does not have its shape');
  return parsed.data;
}
