import type { Audit } from '#core/ports/audit.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createAudit } from '#aws/audit/audit.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';

export function auditOf(env: Env): Audit {
  return createAudit({
    dynamodb: createDynamoDb(env),
    table: setting(env, 'AUDIT_TABLE'),
    now: createStamp().now,
    newToken,
    pause,
  });
}
