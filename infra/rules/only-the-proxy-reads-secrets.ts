import { compliantIf, type Rule } from './rule.ts';
import {
  allowed,
  allows,
  holdersOf,
  type PolicyStatement,
  secretName,
  settingOf,
  target,
  type Template,
  vaultSecrets,
} from './template.ts';

/** It calls servers for users. */
const READER_AND_OPENER = 'mcp-proxy';
/** It gives the egress proxy what that puts into requests of a sandbox. */
const READER = 'egress';
/** The API's settings that name keys, and the function that opens what each has sealed: OAuth tokens, repositories' tokens. */
const OPENERS = { VAULT_KEY_ARN: READER_AND_OPENER, REPOSITORY_KEY_ARN: READER } as const;
const READING_SECRETS = ['secretsmanager:GetSecretValue', 'secretsmanager:BatchGetSecretValue'];
/** Actions that unseal tokens, or that give another principal the right to. */
const OPENING = ['kms:Decrypt', 'kms:ReEncryptFrom', 'kms:CreateGrant'];

export const onlyTheProxyReadsSecrets: Rule = {
  id: 'only-the-proxy-reads-secrets',
  reason: 'A function that reads the credentials of users can act as them without policy and audit.',
  judge(resource, template) {
    const about = allowed(resource).filter(
      (statement) =>
        reachesSecret(statement, template) || Object.keys(OPENERS).some((key) => reachesKey(statement, key, template)),
    );
    if (about.length === 0 || resource.Type === 'AWS::EC2::VPCEndpoint') return 'not-applicable';
    const readers = holdersOf(resource, template);
    const isOnlyOf = (...entries: readonly unknown[]) =>
      readers.length > 0 && readers.every((entry) => entries.includes(entry));
    const reads = about.some((statement) => readsSecret(statement, template));
    const isForeign = Object.entries(OPENERS).some(
      ([key, opener]) => about.some((statement) => opensSealed(statement, key, template)) && !isOnlyOf(opener),
    );
    return compliantIf((!reads || isOnlyOf(READER_AND_OPENER, READER)) && !isForeign);
  },
};

function readsSecret(statement: PolicyStatement, template: Template): boolean {
  return reachesSecret(statement, template) && READING_SECRETS.some((action) => allows(statement, action));
}

function opensSealed(statement: PolicyStatement, key: string, template: Template): boolean {
  return reachesKey(statement, key, template) && OPENING.some((action) => allows(statement, action));
}

/** Whether a statement may be about a secret of a vault; the names of all of them begin alike. */
function reachesSecret({ Action, Resource }: PolicyStatement, template: Template): boolean {
  if (!Action.some((action) => action === '*' || action.startsWith('secretsmanager:'))) return false;
  const ofVaults = vaultSecrets(template);
  return Resource.some((one) => {
    if (template.Resources[target(one) ?? '']?.Type === 'AWS::SecretsManager::Secret') return false;
    const [literal = ''] = secretName(one).split(/[*?]/);
    return literal.startsWith(ofVaults) || ofVaults.startsWith(literal);
  });
}

function reachesKey({ Action, Resource }: PolicyStatement, setting: string, template: Template): boolean {
  if (!Action.some((action) => action === '*' || action.startsWith('kms:'))) return false;
  const key = target(settingOf(template, 'api', setting));
  // A key that the statement names in full, or another key of the template, is not this one.
  return Resource.some((one) => (target(one) === undefined ? JSON.stringify(one).includes('*') : target(one) === key));
}
