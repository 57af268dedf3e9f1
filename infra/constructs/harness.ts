import { Duration, Stack, Validations } from 'aws-cdk-lib';
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
  /**
   * One that is encrypted with a key of your own must know that key (`Secret.fromSecretAttributes`).
   * @default a new, empty secret; a turn fails with a message that says so until it has a value
   */
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
    this.turn.receive({ MODEL_BASE_URL: props.modelBaseUrl, MODEL_API_KEY_SECRET_ARN: this.modelApiKey.secretArn });
    this.#allowReadingKey();
  }

  /** The secret itself knows its ARNs: of one given by name, the last six characters are unknown here. */
  #allowReadingKey(): void {
    this.modelApiKey.grantRead(this.turn.role);
    const { encryptionKey } = this.modelApiKey;
    if (!encryptionKey) return;
    // grantRead relies on the key's own policy, which cannot be changed when the key is not of this app.
    const viaService = `secretsmanager.${Stack.of(this).region}.amazonaws.com`;
    this.turn.receive(
      {},
      {
        actions: ['kms:Decrypt'],
        on: [encryptionKey.keyArn],
        when: { StringEquals: { 'kms:ViaService': viaService } },
      },
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
