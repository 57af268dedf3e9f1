/** API keys: a row per SHA-256 of a key. The keys are random and long, so a plain hash cannot be searched backwards. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ApiKey } from '#contract/api-keys.ts';
import type { ApiKeys } from '#core/ports/records.ts';
import { parseRow } from '#aws/row.ts';
import { sha256 } from '#aws/stamp.ts';
import { createTable, IS_NEW } from '#aws/table.ts';

/** How long a revoked key may go on working in an instance that has seen it. */
const TRUST_MS = 60_000;
const MAX_TRUSTED = 1000;

export function createApiKeys(dynamodb: DynamoDBClient, name: string, nowMs: () => number = Date.now): ApiKeys {
  const table = createTable(dynamodb, name);
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
      const row = await table.get(keyOf(hash));
      if (row === null) return null;
      const apiKey = parseRow(ApiKey, row);
      remember(hash, apiKey);
      return apiKey;
    },

    async issue(secret, { id, workspace, createdAt }) {
      const apiKey = { id, workspace, createdAt };
      const { row } = await table.put({ ...keyOf(sha256(secret)), ...apiKey }, { when: [IS_NEW] });
      return row === null ? apiKey : parseRow(ApiKey, row);
    },
  };
}

function keyOf(hash: string) {
  return { pk: `apikey#${hash}`, sk: 'apikey' };
}
