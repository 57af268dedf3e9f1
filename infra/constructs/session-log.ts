import type { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';

const READ = ['dynamodb:GetItem', 'dynamodb:Query'];

/** The table of session logs: one partition per thread, one item per append. No role may update an item. */
export class SessionLog extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string, props: { readonly removalPolicy: RemovalPolicy }) {
    super(scope, id);
    this.table = new TableV2(this, 'LogTable', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.NUMBER },
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: props.removalPolicy,
    });
  }

  grantRead(reader: EntryFunction): void {
    this.#grant(reader, READ);
  }

  grantAppend(writer: EntryFunction): void {
    this.#grant(writer, [...READ, 'dynamodb:PutItem']);
  }

  /** For the API only: no entry is removed but by deleting its session. */
  grantAppendAndRemove(writer: EntryFunction): void {
    this.#grant(writer, [...READ, 'dynamodb:PutItem', 'dynamodb:DeleteItem']);
  }

  #grant(grantee: EntryFunction, actions: readonly string[]): void {
    grantee.receive({ LOG_TABLE: this.table.tableName }, { actions, on: [this.table.tableArn] });
  }
}
