import { CustomResource, Duration, Validations } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import type { Records } from './records.ts';

export interface FirstKeyProps {
  readonly defaults: FunctionDefaults;
  readonly records: Records;
}

/** The first API key: the deployment generates it in Secrets Manager and writes its hash into the records. */
export class FirstKey extends Construct {
  readonly issueKey: EntryFunction;
  readonly secret: Secret;

  constructor(scope: Construct, id: string, { defaults, records }: FirstKeyProps) {
    super(scope, id);
    this.secret = new Secret(this, 'FirstApiKey', {
      description: 'The first API key of this Brainstem',
      generateSecretString: { excludePunctuation: true, passwordLength: 48 },
      removalPolicy: defaults.removalPolicy,
    });
    Validations.of(this.secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'Clients hold the key; only its owner knows when they can take a new one.',
    });
    this.issueKey = new EntryFunction(this, 'IssueKey', {
      entry: 'issue-key',
      defaults,
      timeout: Duration.minutes(1),
      memoryMb: 256,
    });
    records.grantAdd(this.issueKey);
    const { secretArn } = this.secret;
    this.issueKey.receive(
      { FIRST_API_KEY_SECRET_ARN: secretArn },
      { actions: ['secretsmanager:GetSecretValue'], on: [secretArn] },
    );
    new CustomResource(this, 'Issued', {
      resourceType: 'Custom::FirstApiKey',
      serviceToken: this.issueKey.lambda.functionArn,
      serviceTimeout: Duration.minutes(2),
      // A replaced secret holds another key. CloudFormation issues that key too, because this property changes.
      properties: { SecretArn: secretArn },
    });
  }
}
