import type { RemovalPolicy } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';
import { listedTable } from './listed-table.ts';

/**
 * The table of audit chains: one partition per chain, one item per record. No record expires, and no role may change or
 * remove one, which the rule audit-is-append-only checks. Exports by time query the index `list`.
 */
export class AuditTrail extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string, props: { readonly removalPolicy: RemovalPolicy }) {
    super(scope, id);
    this.table = listedTable(this, 'AuditTable', props);
  }

  /** A writer reads the last record of the chain, and whether an earlier attempt has already written its own. */
  grantAppend(writer: EntryFunction): void {
    this.#grant(writer, ['dynamodb:PutItem', 'dynamodb:Query'], this.table.tableArn);
  }

  grantExport(reader: EntryFunction): void {
    this.#grant(reader, ['dynamodb:Query'], this.table.tableArn);
    this.#grant(reader, ['dynamodb:Query'], `${this.table.tableArn}/index/list`);
  }

  #grant(grantee: EntryFunction, actions: readonly string[], on: string): void {
    grantee.receive({ AUDIT_TABLE: this.table.tableName }, { actions, on: [on] });
  }
}
