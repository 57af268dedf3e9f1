/** Policies and pinned tools, for those who decide by them and for those who decide about them. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Audit } from '#core/audit/audit.ts';
import type { ToolPins } from '#core/mcp/tool-pins.ts';
import type { GovernanceWorld } from '#core/policy/governance.ts';
import type { Policies } from '#core/policy/policy.ts';
import { createPolicies } from '#aws/policies.cedar.ts';
import { createPolicyCheck } from '#aws/policy-check.cedar.ts';
import { createPolicyRecords } from '#aws/policy-records.dynamodb.ts';
import { setting, type Environment } from '#aws/settings.ts';
import { sha256 } from '#aws/sha256.ts';
import { createStamp } from '#aws/stamp.ts';
import { createToolPins } from '#aws/tool-pins.dynamodb.ts';

/** What the MCP proxy decides by. */
export function judgingWorld(environment: Environment): { readonly policies: Policies; readonly pins: ToolPins } {
  const dynamodb = new DynamoDBClient();
  const table = setting(environment, 'VAULT_TABLE');
  return {
    policies: createPolicies({ records: createPolicyRecords(dynamodb, table), nowMs: Date.now }),
    pins: createToolPins(dynamodb, table),
  };
}

/** What the API decides about. */
export function governanceWorld(environment: Environment, audit: Audit): GovernanceWorld {
  const dynamodb = new DynamoDBClient();
  const table = setting(environment, 'VAULT_TABLE');
  return {
    policies: createPolicyRecords(dynamodb, table),
    check: createPolicyCheck(),
    pins: createToolPins(dynamodb, table),
    audit,
    stamp: createStamp(),
    sha256,
  };
}
