import { Duration } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { AllowedHosts } from '#contract/outbound.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import type { Stores } from './stores.ts';

export interface WebFetchProps extends Stores {
  readonly defaults: FunctionDefaults;
  /** Private hosts that the function may reach. */
  readonly allow: AllowedHosts;
}

/**
 * The function that reads the web. It is outside the VPC and has no way into it. A hostile page that took it over could
 * append to logs, with their content, and nothing else.
 */
export class WebFetch extends Construct {
  readonly fetch: EntryFunction;

  constructor(scope: Construct, id: string, { defaults, log, records, content, allow }: WebFetchProps) {
    super(scope, id);
    this.fetch = new EntryFunction(this, 'Fetch', {
      entry: 'web-fetch',
      defaults,
      // A fetch ends within 30 seconds; the function then converts and stores the page.
      timeout: Duration.seconds(60),
      memoryMb: 512,
    });
    log.grantAppend(this.fetch);
    content.grantReadWrite(this.fetch);
    this.fetch.receive({
      WEB_FETCH_ALLOW: JSON.stringify(allow),
      // A result changes no session's row, so the function needs the name and no right.
      RECORDS_TABLE: records.table.tableName,
    });
  }
}
