import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';

/**
 * The table of what is shown of an answer before it is in the log: one partition per log, with the mark of whoever wants
 * to see it and the chunks of its requests. It forgets by itself, and nothing in it is worth keeping.
 */
export class Previews extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.table = new TableV2(this, 'PreviewsTable', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      timeToLiveAttribute: 'expiresAt',
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(this.table).acknowledge({
      id: 'AwsSolutions-DDB3',
      reason: 'A backup would keep for 35 days what is meant to be forgotten within minutes.',
    });
  }

  /** Asking for previews and seeing them. */
  grantFollow(reader: EntryFunction): void {
    this.#grant(reader, ['dynamodb:PutItem', 'dynamodb:Query']);
  }

  /** Reading whether anybody asked, and writing them. */
  grantShow(writer: EntryFunction): void {
    this.#grant(writer, ['dynamodb:GetItem', 'dynamodb:PutItem']);
  }

  #grant(grantee: EntryFunction, actions: readonly string[]): void {
    grantee.receive({ PREVIEWS_TABLE: this.table.tableName }, { actions, on: [this.table.tableArn] });
  }
}
