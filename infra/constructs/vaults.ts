import { ArnFormat, Names, type RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { OAuthTokens } from '#contract/secret-stores.ts';
import type { EntryFunction, Right } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';
import { listedTable } from './listed-table.ts';

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
/** Of credentials that are being made. */
const PENDING_CREDENTIALS = 'PENDING#*';

/**
 * Vaults: the table of everything told of vaults, credentials, MCP servers and policies, and the two places of their
 * secrets. Who may write a secret is not who may read it: `grantUse` alone gives the right to read one.
 */
export class Vaults extends Construct {
  readonly table: TableV2;
  /** Seals tokens in their rows; null where every secret is in Secrets Manager. */
  readonly key: Key | null;
  /**
   * The ARN with which every secret's begins. Secrets are addressed by it and not by name: IAM judges the name of a
   * secret that does not exist, or no longer does, by no ARN that a right for a prefix could match.
   */
  readonly secretsPrefix: string;
  readonly #oauthTokens: OAuthTokens;

  constructor(scope: Construct, id: string, { removalPolicy, oauthTokens }: VaultsProps) {
    super(scope, id);
    this.table = listedTable(this, 'VaultTable', { removalPolicy, timeToLiveAttribute: 'expiresAt' });
    this.#oauthTokens = oauthTokens;
    this.key = oauthTokens === 'dynamodb-kms' ? this.#makeKey(removalPolicy) : null;
    const name = Names.uniqueResourceName(this, { separator: '-', maxLength: 128 });
    this.secretsPrefix = Stack.of(this).formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName: name,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }

  /** Vaults and credentials as clients manage them: secrets are taken, replaced and removed, and never read. */
  grantManage(api: EntryFunction): void {
    this.#grantRows(api, { actions: [...READ, ...WRITE, 'dynamodb:DeleteItem'] });
    api.receive({}, { actions: ['dynamodb:Query'], on: [`${this.table.tableArn}/index/list`] });
    this.#grantPlaces(api, WRITE_SECRETS, [SEAL]);
  }

  /** Credentials as calls use them: read, refreshed, and their rows kept in step. */
  grantUse(proxy: EntryFunction): void {
    this.#grantRows(proxy, { actions: READ });
    // It adds marks of calls, tools of servers and offers to connect, and no vault and no credential.
    const added = ['CALL#*', '*#MCP#*', 'CONNECT#*'];
    this.#grantRows(proxy, { actions: ['dynamodb:PutItem'], when: inPartitions(added) });
    // An update makes the row that it does not find: of policies it may not be one.
    this.#grantRows(proxy, { actions: ['dynamodb:UpdateItem'], when: inPartitions([OF_VAULTS, ...added]) });
    const secrets = ['secretsmanager:GetSecretValue', 'secretsmanager:CreateSecret', 'secretsmanager:PutSecretValue'];
    this.#grantPlaces(proxy, secrets, [SEAL, UNSEAL]);
  }

  /** A user's consent, from the offer to the stored credential, whose secrets it writes and does not read. */
  grantConnect(connect: EntryFunction): void {
    this.#grantRows(connect, { actions: READ });
    this.#grantRows(connect, {
      actions: WRITE,
      when: inPartitions([OF_VAULTS, PENDING_CREDENTIALS, 'CONNECT#*', '*#CLIENT#*']),
    });
    this.#grantPlaces(connect, WRITE_SECRETS, [SEAL]);
  }

  /**
   * Finishing consents that were cut short: their rows, and a look at the credential that proves them. Undoing creations
   * that were: their announcements, and the secrets to which no row ever pointed.
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
    acknowledgePattern(grantee.role, secrets, 'A secret is made with its credential, below the name of these vaults.');
  }

  /** Of both places, whichever the tokens are in. */
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
