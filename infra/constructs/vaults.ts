import type { RemovalPolicy } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { OAuthTokens } from '#contract/secret-stores.ts';
import type { EntryFunction, Right } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';
import { listedTable } from './listed-table.ts';
import { secretsPrefix } from './secrets-prefix.ts';

export interface VaultsProps {
  readonly removalPolicy: RemovalPolicy;
  readonly oauthTokens: OAuthTokens;
}

const READ = ['dynamodb:GetItem', 'dynamodb:Query'];
/** A transaction needs the right of each of its items: put, update or condition check. */
const WRITE = ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:ConditionCheckItem'];

const WRITE_SECRETS = ['secretsmanager:CreateSecret', 'secretsmanager:PutSecretValue', 'secretsmanager:DeleteSecret'];
const SEAL = 'kms:GenerateDataKey';
const UNSEAL = 'kms:Decrypt';

/** Partitions of vaults, with their credentials. */
const OF_VAULTS = '*#vlt_*';
/** Partitions of credentials that are not complete yet. */
const PENDING_CREDENTIALS = 'PENDING#*';

/**
 * Vaults: the table of vaults, credentials, MCP servers and policies, and the two stores of their secrets. Functions
 * that only write secrets cannot read them: `grantUse` and `grantHandOut` alone give the right to read one.
 */
export class Vaults extends Construct {
  readonly table: TableV2;
  /** The KMS key that seals tokens in their rows; null where every secret is in Secrets Manager. */
  readonly key: Key | null;
  /** The beginning of every secret's ARN. */
  readonly secretsPrefix: string;
  readonly #oauthTokens: OAuthTokens;

  constructor(scope: Construct, id: string, { removalPolicy, oauthTokens }: VaultsProps) {
    super(scope, id);
    this.table = listedTable(this, 'VaultTable', { removalPolicy, timeToLiveAttribute: 'expiresAt' });
    this.#oauthTokens = oauthTokens;
    this.key = oauthTokens === 'dynamodb-kms' ? this.#makeKey(removalPolicy) : null;
    this.secretsPrefix = secretsPrefix(this);
  }

  /** For managing vaults and credentials: the API stores, replaces and removes secrets, and never reads them. */
  grantManage(api: EntryFunction): void {
    this.#grantRows(api, { actions: [...READ, ...WRITE, 'dynamodb:DeleteItem'] });
    api.receive({}, { actions: ['dynamodb:Query'], on: [`${this.table.tableArn}/index/list`] });
    this.#grantPlaces(api, WRITE_SECRETS, [SEAL]);
  }

  /** For using credentials in calls: the proxy reads and refreshes them, and updates their rows. */
  grantUse(proxy: EntryFunction): void {
    this.#grantRows(proxy, { actions: READ });
    // The proxy adds call marks, tools of servers and connections, and no vault and no credential.
    const added = ['CALL#*', '*#MCP#*', 'CONNECT#*'];
    this.#grantRows(proxy, { actions: ['dynamodb:PutItem'], when: inPartitions(added) });
    // An update makes a row that does not exist, so the right leaves out the partitions of policies.
    this.#grantRows(proxy, { actions: ['dynamodb:UpdateItem'], when: inPartitions([OF_VAULTS, ...added]) });
    const secrets = ['secretsmanager:GetSecretValue', 'secretsmanager:CreateSecret', 'secretsmanager:PutSecretValue'];
    this.#grantPlaces(proxy, secrets, [SEAL, UNSEAL]);
  }

  /** For choosing the variables of a sandbox that starts: the function reads rows, in which no variable's secret is. */
  grantName(provision: EntryFunction): void {
    this.#grantRows(provision, { actions: READ, when: inPartitions([OF_VAULTS]) });
  }

  /**
   * For telling the egress proxy the secrets of a sandbox's variables, which are in Secrets Manager whatever the option
   * says. The function has no right to the key, so it opens no OAuth token that is sealed in its row.
   */
  grantHandOut(egress: EntryFunction): void {
    this.grantName(egress);
    this.#grantSecrets(egress, ['secretsmanager:GetSecretValue']);
  }

  /** For a user's consent, from the link to the stored credential. The function writes secrets and reads none. */
  grantConnect(connect: EntryFunction): void {
    this.#grantRows(connect, { actions: READ });
    this.#grantRows(connect, {
      actions: WRITE,
      when: inPartitions([OF_VAULTS, PENDING_CREDENTIALS, 'CONNECT#*', '*#CLIENT#*']),
    });
    this.#grantPlaces(connect, WRITE_SECRETS, [SEAL]);
  }

  /**
   * For finishing an interrupted consent: the sweep updates its row if its credential exists. For undoing an interrupted
   * creation: the sweep updates its pending row, and removes the secrets that no row points to.
   */
  grantSettle(sweep: EntryFunction): void {
    this.#grantRows(sweep, { actions: ['dynamodb:GetItem'] });
    this.#grantRows(sweep, { actions: ['dynamodb:Query'], when: inPartitions(['CONNECT#*']) });
    this.#grantRows(sweep, {
      actions: ['dynamodb:UpdateItem'],
      when: inPartitions(['CONNECT#*', PENDING_CREDENTIALS]),
    });
    sweep.receive({}, { actions: ['dynamodb:Query'], on: [`${this.table.tableArn}/index/list`] });
    this.#grantSecrets(sweep, ['secretsmanager:DeleteSecret']);
  }

  #makeKey(removalPolicy: RemovalPolicy): Key {
    return new Key(this, 'TokenKey', {
      description: 'Seals the OAuth tokens of credentials',
      enableKeyRotation: true,
      removalPolicy,
    });
  }

  #grantRows(grantee: EntryFunction, right: Omit<Right, 'on'>): void {
    grantee.receive({ VAULT_TABLE: this.table.tableName }, { ...right, on: [this.table.tableArn] });
  }

  #grantSecrets(grantee: EntryFunction, actions: readonly string[]): void {
    const secrets = `${this.secretsPrefix}/*`;
    grantee.receive({ SECRETS_PREFIX: this.secretsPrefix }, { actions, on: [secrets] });
    acknowledgePattern(
      grantee.role,
      secrets,
      'The functions make a secret with its credential, below the name of these vaults.',
    );
  }

  /** Rights in both stores. The key exists only if it seals tokens. */
  #grantPlaces(grantee: EntryFunction, ofSecrets: readonly string[], ofKey: readonly string[]): void {
    this.#grantSecrets(grantee, ofSecrets);
    grantee.receive({ OAUTH_TOKENS: this.#oauthTokens });
    if (this.key === null) return;
    grantee.receive({ VAULT_KEY_ARN: this.key.keyArn }, { actions: ofKey, on: [this.key.keyArn] });
  }
}

function inPartitions(keys: readonly string[]): NonNullable<Right['when']> {
  return { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': keys } };
}
