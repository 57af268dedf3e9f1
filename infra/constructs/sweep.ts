import { Duration } from 'aws-cdk-lib';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import type { Stores } from './stores.ts';

export interface SweepProps extends Stores {
  readonly defaults: FunctionDefaults;
}

/**
 * Every minute: starts the execution of each running session that has none (docs/design.md#runs), stops the tasks that
 * nothing needs (docs/design.md#sandboxes), and removes the bytes that no file names (docs/design.md#files).
 */
export class Sweep extends Construct {
  readonly repair: EntryFunction;

  constructor(scope: Construct, id: string, { defaults, log, records, content, memory }: SweepProps) {
    super(scope, id);
    this.repair = new EntryFunction(this, 'Repair', {
      entry: 'sweep',
      defaults,
      timeout: Duration.seconds(55),
      memoryMb: 256,
      // The next minute is the retry.
      asyncRetries: 0,
    });
    log.grantAppend(this.repair);
    records.grantRead(this.repair);
    records.grantWrite(this.repair);
    records.grantFindRunning(this.repair);
    records.grantList(this.repair);
    content.grantReadWrite(this.repair);
    memory.grantEmpty(this.repair);
    content.grantRemoveBlobs(this.repair);
    new Rule(this, 'EveryMinute', {
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new LambdaFunction(this.repair.lambda, { retryAttempts: 0 })],
    });
  }
}
