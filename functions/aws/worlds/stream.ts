/** The world of the function that streams a session's events. */
import { primaryThread, SessionId } from '#contract/ids.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { createPreviews } from '#aws/session/previews.dynamodb.ts';
import { createSkillArchives } from '#aws/skills/skill-archives.zip.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { countSetting, setting, type Env } from '#aws/settings.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { limiterOf } from '#aws/worlds/limits.ts';
import { logOf } from '#aws/worlds/sessions.ts';

/** No session has it. */
const NOWHERE = SessionId.parse('sesn_nowhere');

export function streamWorld(env: Env) {
  const dynamodb = createDynamoDb(env);
  const log = logOf(env);
  const recordsTable = setting(env, 'RECORDS_TABLE');
  const apiKeys = createApiKeys(dynamodb, recordsTable);
  return {
    log,
    apiKeys,
    /** Makes connections and compiles what a first request needs. What fails here fails in the request, which tells it. */
    async warmUp() {
      await Promise.allSettled([apiKeys.find('none'), log.head({ session: NOWHERE, thread: primaryThread(NOWHERE) })]);
    },
    files: createFileRecords(dynamodb, recordsTable),
    blobs: createBlobs(env, setting(env, 'CONTENT_BUCKET')),
    skills: createSkillRecords(dynamodb, recordsTable),
    skillArchives: createSkillArchives(),
    stamp: createStamp(),
    // An instance is busy with one stream for minutes: a second token would run out unused.
    limiter: limiterOf(env, { dynamodb, maxLease: 1 }),
    previews: createPreviews(dynamodb, setting(env, 'PREVIEWS_TABLE')),
    idleMs: countSetting(env, 'IDLE_STREAM_SECONDS') * 1000,
    newToken,
    pause,
    journal: createJournal(),
  };
}
