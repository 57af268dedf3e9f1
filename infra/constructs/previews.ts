import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import { AttributeType, Billing, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';

/**
 * The table of previews: one partition per log, with a mark that a stream wants previews, the number of its streams, and
 * the chunks of an answer that is not in the log yet. Rows expire within minutes, and nothing in them is worth keeping.
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
      reason: 'A backup would keep rows for 35 days that should expire within minutes.',
    });
  }

  /** For a stream: asking for previews and reading them, and counting the streams of a session. */
  grantFollow(reader: EntryFunction): void {
    this.#grant(reader, ['dynamodb:PutItem', 'dynamodb:Query', 'dynamodb:UpdateItem']);
  }

  /** For the harness: reading whether a stream asked for previews, and writing them. */
  grantShow(writer: EntryFunction): void {
    this.#grant(writer, ['dynamodb:GetItem', 'dynamodb:PutItem']);
  }

  #grant(grantee: EntryFunction, actions: readonly string[]): void {
    grantee.receive({ PREVIEWS_TABLE: this.table.tableName }, { actions, on: [this.table.tableArn] });
  }
}
