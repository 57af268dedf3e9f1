import { Duration, Stack, Validations } from 'aws-cdk-lib';
import { type CfnSecret, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Content } from './content.ts';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import { allowBedrock, allowClaudePlatform, type ClaudeApi, type ModelProps } from './model.ts';
import type { Records } from './records.ts';
import type { SessionLog } from './session-log.ts';

export interface HarnessProps {
  readonly defaults: FunctionDefaults;
  readonly log: SessionLog;
  readonly records: Records;
  readonly content: Content;
  readonly model: ModelProps;
}

/** The brain: one model request per invocation (docs/design.md#turns). The only function that may ask the model. */
export class Harness extends Construct {
  readonly turn: EntryFunction;
  /** Null where the model is asked with the function's own role. */
  readonly modelApiKey: ISecret | null;

  constructor(scope: Construct, id: string, props: HarnessProps) {
    super(scope, id);
    this.turn = new EntryFunction(this, 'Turn', {
      entry: 'harness',
      defaults: props.defaults,
      timeout: Duration.minutes(15),
      memoryMb: 512,
    });
    props.log.grantAppend(this.turn);
    props.records.grantWrite(this.turn);
    props.content.grantReadWrite(this.turn);
    this.modelApiKey = this.#allowAsking(props);
  }

  #allowAsking({ model, defaults }: HarnessProps): ISecret | null {
    switch (model.provider) {
      case 'anthropic':
        return this.#allowClaudeApi(model, defaults);
      case 'bedrock':
        allowBedrock(this.turn, model);
        return null;
      case 'claude-platform-on-aws':
        allowClaudePlatform(this.turn, model);
        return null;
      default:
        return model satisfies never;
    }
  }

  #allowClaudeApi({ baseUrl = 'https://api.anthropic.com', apiKey }: ClaudeApi, defaults: FunctionDefaults): ISecret {
    const key = apiKey ?? this.#emptySecret(defaults);
    this.turn.receive({ MODEL_BASE_URL: baseUrl, MODEL_API_KEY_SECRET_ARN: key.secretArn });
    this.#allowReading(key);
    return key;
  }

  /** The secret itself knows its ARNs: of one given by name, the last six characters are unknown here. */
  #allowReading(key: ISecret): void {
    key.grantRead(this.turn.role);
    const { encryptionKey } = key;
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
