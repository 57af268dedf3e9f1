/** The world of the custom resource that stores the deployment's first API key. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { requiredSecretReader } from '#aws/model/model-key.secrets-manager.ts';
import { setting, type Environment } from '#aws/settings.ts';
import { createStamp, newToken } from '#aws/stamp.ts';

export function issueKeyWorld(environment: Environment) {
  return {
    apiKeys: createApiKeys(new DynamoDBClient(), setting(environment, 'RECORDS_TABLE')),
    newToken,
    now: createStamp().now,
    /** The key itself: the whole of the secret. */
    secret: requiredSecretReader(setting(environment, 'FIRST_API_KEY_SECRET_ARN')),
  };
}
