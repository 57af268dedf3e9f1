import type { RemovalPolicy } from 'aws-cdk-lib';
import type { TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';
import { listedTable } from './listed-table.ts';

const READ = ['dynamodb:GetItem', 'dynamodb:Query'];
/** A transaction needs the right of each of its items: put, update, delete or condition check. */
const WRITE = ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:ConditionCheckItem'];

/**
 * The table of memory stores, their memories and versions. It is apart from the other records, so that only the functions
 * that need a text of users can read it. Old versions expire by `expiresAt`.
 */
export class Memory extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string, props: { readonly removalPolicy: RemovalPolicy }) {
    super(scope, id);
    const { removalPolicy } = props;
    this.table = listedTable(this, 'MemoryTable', { removalPolicy, timeToLiveAttribute: 'expiresAt' });
  }

  /** For the operations of the API. */
  grantManage(api: EntryFunction): void {
    this.#grant(api, [...READ, ...WRITE]);
    api.receive({}, { actions: ['dynamodb:Query'], on: [`${this.table.tableArn}/index/list`] });
  }

  /** For loading memories into sandboxes, and keeping what agents write. */
  grantUse(execute: EntryFunction): void {
    this.#grant(execute, [...READ, ...WRITE]);
  }

  /** For emptying stores that were deleted. */
  grantEmpty(sweep: EntryFunction): void {
    this.#grant(sweep, ['dynamodb:Query', 'dynamodb:DeleteItem']);
  }

  #grant(grantee: EntryFunction, actions: readonly string[]): void {
    grantee.receive({ MEMORY_TABLE: this.table.tableName }, { actions, on: [this.table.tableArn] });
  }
}
