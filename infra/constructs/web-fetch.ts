import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { AllowedHosts } from '#contract/outbound.ts';
import type { Content } from './content.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import type { Records } from './records.ts';
import type { SessionLog } from './session-log.ts';

export interface WebFetchProps {
  readonly defaults: FunctionDefaults;
  readonly log: SessionLog;
  readonly records: Records;
  readonly content: Content;
  /** Hosts that may be reached although they are private. */
  readonly allow: AllowedHosts;
}

/**
 * The hand that reads the web. It stands outside the VPC and has no way into it; what a page makes it do, it can do
 * with the rights to append to logs and nothing else.
 */
export class WebFetch extends Construct {
  readonly fetch: EntryFunction;

  constructor(scope: Construct, id: string, { defaults, log, records, content, allow }: WebFetchProps) {
    super(scope, id);
    this.fetch = new EntryFunction(this, 'Fetch', {
      entry: 'web-fetch',
      defaults,
      // A fetch ends within 30 seconds; the rest is for reading a large page and storing it.
      timeout: Duration.seconds(60),
      memoryMb: 512,
    });
    log.grantAppend(this.fetch);
    content.grantReadWrite(this.fetch);
    this.fetch.receive({
      WEB_FETCH_ALLOW: JSON.stringify(allow),
      // A result changes no session's row, so there is no right to go with the name.
      RECORDS_TABLE: records.table.tableName,
    });
  }
}
