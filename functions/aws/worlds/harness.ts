/** What the harness's world has with every model provider; a file per provider adds its client, for the bundles' size. */
import { Hands } from '#contract/run.ts';
import { SilenceSeconds } from '#contract/models.ts';
import { createAttachedFiles } from '#core/harness/attached-files.ts';
import { createHistory } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import type { Model } from '#core/ports/model.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createOutputRecords } from '#aws/files/outputs.dynamodb.ts';
import { createProvisioner } from '#aws/hands/provisioner.lambda.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { createMcpProxy } from '#aws/mcp/mcp-proxy.lambda.ts';
import { createThreadRecords } from '#aws/session/thread-records.dynamodb.ts';
import { createPreviews } from '#aws/session/previews.dynamodb.ts';
import { jsonSetting, setting, type Env } from '#aws/settings.ts';
import { sha256, createStamp, pause } from '#aws/stamp.ts';
import { runPorts } from '#aws/worlds/runs.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

export type HarnessWorld = TurnWorld & { readonly journal: FunctionJournal };

export function silenceSetting(env: Env): SilenceSeconds {
  return jsonSetting(env, 'MODEL_SILENCE_SECONDS', SilenceSeconds);
}

export function harnessWorld(env: Env, model: Model): HarnessWorld {
  const dynamodb = createDynamoDb(env);
  const tables = sessionTables(env, dynamodb);
  const { log, runs } = runPorts(env, tables);
  const records = setting(env, 'RECORDS_TABLE');
  const blobs = createBlobs(env, setting(env, 'CONTENT_BUCKET'));
  return {
    log,
    runs,
    threads: createThreadRecords(tables),
    history: createHistory(log),
    attachedFiles: createAttachedFiles({ blobs }),
    outputs: createOutputRecords(dynamodb, records),
    files: createFileRecords(dynamodb, records),
    blobs,
    model,
    hands: jsonSetting(env, 'HANDS', Hands),
    warming: createProvisioner(env, setting(env, 'PROVISION_FUNCTION_NAME')),
    mcp: createMcpProxy(env, {
      functionName: setting(env, 'MCP_PROXY_FUNCTION_NAME'),
      pause,
    }),
    sha256,
    previews: createPreviews(dynamodb, setting(env, 'PREVIEWS_TABLE')),
    stamp: createStamp(),
    pause,
    journal: createJournal(),
  };
}
