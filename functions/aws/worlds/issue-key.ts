/** The world of the custom resource that stores the deployment's first API key. */
import { createDynamoDb } from '#aws/clients.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { requiredSecretReader } from '#aws/model/model-key.secrets-manager.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp, newToken } from '#aws/stamp.ts';
import { tellCloudFormation } from '#aws/tell-cloudformation.ts';

export function issueKeyWorld(env: Env) {
  return {
    apiKeys: createApiKeys(createDynamoDb(env), setting(env, 'RECORDS_TABLE')),
    newToken,
    now: createStamp().now,
    /** The key itself: the whole of the secret. */
    secret: requiredSecretReader(setting(env, 'FIRST_API_KEY_SECRET_ARN')),
    tell: tellCloudFormation,
  };
}
