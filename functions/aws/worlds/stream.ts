/** The world of the function that streams a session's events. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createJournal } from '#aws/journal.powertools.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { createPreviews } from '#aws/session/previews.dynamodb.ts';
import { setting, type Environment } from '#aws/settings.ts';
import { newToken, pause } from '#aws/stamp.ts';
import { limiterOf } from '#aws/worlds/limits.ts';
import { logOf } from '#aws/worlds/sessions.ts';

export function streamWorld(environment: Environment) {
  const dynamodb = new DynamoDBClient();
  return {
    log: logOf(environment),
    apiKeys: createApiKeys(dynamodb, setting(environment, 'RECORDS_TABLE')),
    // An instance is busy with one stream for minutes: a second token would run out unused.
    limiter: limiterOf(environment, { dynamodb, maxLease: 1 }),
    previews: createPreviews(dynamodb, setting(environment, 'PREVIEWS_TABLE')),
    newToken,
    pause,
    journal: createJournal(),
  };
}
