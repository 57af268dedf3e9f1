/** The world of the function that tells the egress proxy what sandboxes may do: it hands out their secrets and records each. */
import { GitHosts } from '#contract/git-hosts.ts';
import type { GrantWorld } from '#core/egress/grant.ts';
import { createRepositoryGrants } from '#core/egress/repositories.ts';
import { createSubstitutions } from '#core/egress/substitutions.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createJournal } from '#aws/journal.powertools.ts';
import { createContentsReader } from '#aws/session/session-contents.dynamodb.ts';
import { jsonSetting, setting, type Env } from '#aws/settings.ts';
import { hmac, sha256 } from '#aws/stamp.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { tokenOpenerOf } from '#aws/vault/repository-tokens.kms.ts';
import { createVariableReader } from '#aws/vault/secret-stores.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { auditOf } from '#aws/worlds/audit.ts';

export function egressWorld(env: Env): GrantWorld {
  const dynamodb = createDynamoDb(env);
  const [audit, vaults] = [auditOf(env), setting(env, 'VAULT_TABLE')];
  return {
    sandboxes: createSandboxRecords(dynamodb, setting(env, 'RECORDS_TABLE')),
    substitutions: createSubstitutions({
      vaults: createVaultRecords(dynamodb, vaults),
      credentials: createCredentialRecords(dynamodb, vaults),
      secrets: createVariableReader(env),
      audit,
      hmac,
      nowMs: Date.now,
    }),
    repositoryGrants: createRepositoryGrants({
      contents: createContentsReader(dynamodb, setting(env, 'RECORDS_TABLE')),
      tokenOpener: tokenOpenerOf(env),
      gitHosts: jsonSetting(env, 'GIT_HOSTS', GitHosts),
      audit,
      nowMs: Date.now,
    }),
    audit,
    hmac,
    sha256,
    journal: createJournal(),
  };
}
