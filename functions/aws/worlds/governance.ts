/** Policies and pinned tools, for those who decide about them. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Audit } from '#core/ports/audit.ts';
import type { GovernanceWorld } from '#core/policy/governance.ts';
import { createPolicyCheck } from '#aws/policy/policy-check.cedar.ts';
import { createPolicyRecords } from '#aws/policy/policy-records.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { sha256 } from '#aws/sha256.ts';
import { createStamp } from '#aws/stamp.ts';
import { createToolPins } from '#aws/policy/tool-pins.dynamodb.ts';

/** What the API decides about. */
export function governanceWorld(env: Env, audit: Audit): GovernanceWorld {
  const dynamodb = new DynamoDBClient();
  const table = setting(env, 'VAULT_TABLE');
  return {
    policies: createPolicyRecords(dynamodb, table),
    check: createPolicyCheck(),
    pins: createToolPins(dynamodb, table),
    audit,
    stamp: createStamp(),
    sha256,
  };
}
