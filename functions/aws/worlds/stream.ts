/** The world of the function that streams a session's events. */
import { createDynamoDb } from '#aws/clients.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { createPreviews } from '#aws/session/previews.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { newToken, pause } from '#aws/stamp.ts';
import { limiterOf } from '#aws/worlds/limits.ts';
import { logOf } from '#aws/worlds/sessions.ts';

export function streamWorld(env: Env) {
  const dynamodb = createDynamoDb(env);
  return {
    log: logOf(env),
    apiKeys: createApiKeys(dynamodb, setting(env, 'RECORDS_TABLE')),
    // An instance is busy with one stream for minutes: a second token would run out unused.
    limiter: limiterOf(env, { dynamodb, maxLease: 1 }),
    previews: createPreviews(dynamodb, setting(env, 'PREVIEWS_TABLE')),
    newToken,
    pause,
    journal: createJournal(),
  };
}
