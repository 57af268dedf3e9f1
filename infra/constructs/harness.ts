import { Duration, Validations } from 'aws-cdk-lib';
import { type CfnSecret, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Content } from './content.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import type { Records } from './records.ts';
import type { SessionLog } from './session-log.ts';

export interface HarnessProps {
  readonly defaults: FunctionDefaults;
  readonly log: SessionLog;
  readonly records: Records;
  readonly content: Content;
  /** Any endpoint that speaks the Messages API. */
  readonly modelBaseUrl: string;
  /** @default a new, empty secret; a turn fails with a message that says so until it has a value */
  readonly modelApiKey?: ISecret;
}

/** The brain: one model request per invocation (design §3). The only function that may read the model's key. */
export class Harness extends Construct {
  readonly turn: EntryFunction;
  readonly modelApiKey: ISecret;

  constructor(scope: Construct, id: string, props: HarnessProps) {
    super(scope, id);
    this.modelApiKey = props.modelApiKey ?? this.#emptySecret(props.defaults);
    this.turn = new EntryFunction(this, 'Turn', {
      entry: 'harness',
      defaults: props.defaults,
      timeout: Duration.minutes(15),
      memoryMb: 512,
    });
    props.log.grantAppend(this.turn);
    props.records.grantWrite(this.turn);
    props.content.grantReadWrite(this.turn);
    const secretArn = this.modelApiKey.secretArn;
    this.turn.receive(
      { MODEL_BASE_URL: props.modelBaseUrl, MODEL_API_KEY_SECRET_ARN: secretArn },
      { actions: ['secretsmanager:GetSecretValue'], on: [secretArn] },
    );
  }

  #emptySecret({ removalPolicy }: FunctionDefaults): ISecret {
    const secret = new Secret(this, 'ModelApiKey', { description: 'API key of the model provider', removalPolicy });
    // A generated value would look like a key, and the provider would be the one to say that it is none.
    (secret.node.defaultChild as CfnSecret).generateSecretString = undefined;
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'The key is issued by the model provider; only its owner can replace it.',
    });
    // Under exactOptionalPropertyTypes, CDK's class does not fit CDK's interface.
    return secret as ISecret;
  }
}
