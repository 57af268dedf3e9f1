import { Duration, RemovalPolicy, Validations } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, RuleTargetInput, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectLockRetention } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';
import { listedTable } from './listed-table.ts';

const LOCKED_FOR = Duration.days(400);

/**
 * The table of audit chains: one partition per chain, one item per record. No record expires, and no role may change or
 * remove one, which the rule audit-is-append-only checks. Exports by time query the index `list`.
 *
 * The function `sign-audit` alone signs the heads of the chains, which the rule only-sign-audit-signs checks. It keeps them
 * in a bucket, so that an administrator of the table cannot take records from the end of a chain unnoticed.
 */
export class AuditTrail extends Construct {
  readonly table: TableV2;
  readonly key: Key;
  readonly heads: Bucket;
  readonly sign: EntryFunction;

  constructor(scope: Construct, id: string, { defaults }: { readonly defaults: FunctionDefaults }) {
    super(scope, id);
    const { removalPolicy } = defaults;
    this.table = listedTable(this, 'AuditTable', { removalPolicy });
    this.key = new Key(this, 'Key', {
      description: 'Signs the heads of audit chains',
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy,
    });
    this.heads = this.#makeBucket(removalPolicy);
    this.sign = new EntryFunction(this, 'Sign', {
      entry: 'sign-audit',
      defaults,
      timeout: Duration.seconds(55),
      memoryMb: 256,
      // The next minute is the retry.
      asyncRetries: 0,
    });
    this.#grantSign();
    const event = RuleTargetInput.fromObject({ do: 'sign_all' });
    new Rule(this, 'EveryMinute', {
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaFunction(this.sign.lambda, { retryAttempts: 0, event })],
    });
  }

  /** A writer reads the last record of the chain, and whether an earlier attempt has already written its own. */
  grantAppend(writer: EntryFunction): void {
    this.#grant(writer, ['dynamodb:PutItem', 'dynamodb:Query'], this.table.tableArn);
  }

  grantExport(reader: EntryFunction): void {
    this.#grant(reader, ['dynamodb:Query'], this.table.tableArn);
    this.#grant(reader, ['dynamodb:Query'], `${this.table.tableArn}/index/list`);
    const { functionName, functionArn } = this.sign.lambda;
    reader.receive(
      { SIGN_AUDIT_FUNCTION_NAME: functionName },
      { actions: ['lambda:InvokeFunction'], on: [functionArn] },
    );
  }

  /** A stack that is deleted with all it holds must be able to delete the bucket, so nothing in it is locked. */
  #makeBucket(removalPolicy: RemovalPolicy): Bucket {
    const bucket = new Bucket(this, 'Heads', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      ...(removalPolicy === RemovalPolicy.RETAIN && {
        objectLockDefaultRetention: ObjectLockRetention.compliance(LOCKED_FOR),
      }),
      // The versions that newer heads have replaced.
      lifecycleRules: [{ noncurrentVersionExpiration: LOCKED_FOR }],
      removalPolicy,
    });
    Validations.of(bucket).acknowledge({
      id: 'AwsSolutions-S1',
      reason: 'One function writes it, and every version that it wrote is kept.',
    });
    return bucket;
  }

  #grantSign(): void {
    const { keyArn } = this.key;
    const objects = this.heads.arnForObjects('*');
    this.#grant(this.sign, ['dynamodb:Query'], this.table.tableArn);
    this.sign.receive({ AUDIT_KEY_ARN: keyArn }, { actions: ['kms:Sign', 'kms:GetPublicKey'], on: [keyArn] });
    this.sign.receive(
      { AUDIT_HEADS_BUCKET: this.heads.bucketName },
      { actions: ['s3:GetObject', 's3:PutObject'], on: [objects] },
      // Also for S3 to say that an object is not there.
      { actions: ['s3:ListBucket'], on: [this.heads.bucketArn] },
    );
    acknowledgePattern(this.sign.role, objects, 'There is one object for each workspace.');
  }

  #grant(grantee: EntryFunction, actions: readonly string[], on: string): void {
    grantee.receive({ AUDIT_TABLE: this.table.tableName }, { actions, on: [on] });
  }
}
