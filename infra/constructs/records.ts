import type { RemovalPolicy } from 'aws-cdk-lib';
import { ProjectionType, type TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { EntryFunction } from './entry-function.ts';
import { indexKeys, listedTable } from './listed-table.ts';

const READ = ['dynamodb:GetItem', 'dynamodb:Query'];
/** A transaction needs the right of each of its items: put, update or condition check. */
const WRITE = ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:ConditionCheckItem'];

/**
 * The table of everything but the logs: agents, environments, session rows and details, files, sandboxes, call marks, API keys.
 * The index `list` pages over the rows of a workspace, `scope` over the files and child threads of a session; `running` holds
 * only sessions and child threads with a run that has not ended.
 */
export class Records extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string, props: { readonly removalPolicy: RemovalPolicy }) {
    super(scope, id);
    this.table = listedTable(this, 'RecordsTable', {
      removalPolicy: props.removalPolicy,
      timeToLiveAttribute: 'expiresAt',
      indexes: [
        // DynamoDB writes it whenever a run begins or ends, so it holds only what names the log and the run.
        { ...indexKeys('scope'), projectionType: ProjectionType.ALL },
        { ...indexKeys('running'), projectionType: ProjectionType.INCLUDE, nonKeyAttributes: ['thread', 'run'] },
      ],
    });
  }

  grantRead(reader: EntryFunction): void {
    this.#grant(reader, READ);
  }

  /** Of the rows of sessions and of files, and of no others: what a session's sandboxes wrote. */
  grantReadOutputs(reader: EntryFunction): void {
    const when = { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': ['sesn_*', '*#file_*'] } };
    reader.receive({}, { actions: READ, on: [this.table.tableArn], when });
  }

  grantWrite(writer: EntryFunction): void {
    this.#grant(writer, WRITE);
  }

  grantRemove(writer: EntryFunction): void {
    this.#grant(writer, ['dynamodb:DeleteItem']);
  }

  /** For the function that issues the first key: adding a row without reading any. */
  grantAdd(writer: EntryFunction): void {
    this.#grant(writer, ['dynamodb:PutItem']);
  }

  /** For taking tokens out of the buckets of rate limits, and for writing nothing else. */
  grantSpend(spender: EntryFunction): void {
    const when = { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': 'limit#*' } };
    spender.receive({}, { actions: ['dynamodb:UpdateItem'], on: [this.table.tableArn], when });
  }

  grantList(reader: EntryFunction): void {
    this.#grantIndex(reader, 'list');
    this.#grantIndex(reader, 'scope');
  }

  /** For the rows that a list shows beside those of its index. */
  grantReadTogether(reader: EntryFunction): void {
    this.#grant(reader, ['dynamodb:BatchGetItem']);
  }

  /** The child threads of a session, with their agents. */
  grantReadThreads(reader: EntryFunction): void {
    this.#grantIndex(reader, 'scope');
    this.grantReadTogether(reader);
  }

  grantFindRunning(reader: EntryFunction): void {
    this.#grantIndex(reader, 'running');
  }

  #grant(grantee: EntryFunction, actions: readonly string[]): void {
    grantee.receive({ RECORDS_TABLE: this.table.tableName }, { actions, on: [this.table.tableArn] });
  }

  #grantIndex(grantee: EntryFunction, index: 'list' | 'scope' | 'running'): void {
    grantee.receive({}, { actions: ['dynamodb:Query'], on: [`${this.table.tableArn}/index/${index}`] });
  }
}
