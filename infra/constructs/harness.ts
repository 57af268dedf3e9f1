import type { SilenceSeconds } from '#contract/models.ts';
import { Duration, Stack, Validations } from 'aws-cdk-lib';
import { type CfnSecret, type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { EntryFunction, type FunctionDefaults } from './entry-function.ts';
import type { ClaudeApi, ModelOptions } from '../options/model-options.ts';
import { allowBedrock, allowClaudePlatform } from './model.ts';
import type { Stores } from './stores.ts';

export const CLAUDE_API_URL = 'https://api.anthropic.com';

export interface HarnessProps extends Stores {
  readonly defaults: FunctionDefaults;
  readonly model: ModelOptions;
}

/** One model request per invocation (docs/design.md#turns). No other function may ask the model. */
export class Harness extends Construct {
  readonly turn: EntryFunction;
  /** Null where the function asks the model with its own role. */
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
    props.records.grantReadOutputs(this.turn);
    props.records.grantReadThreads(this.turn);
    props.content.grantReadWrite(this.turn);
    props.content.grantReadBlobs(this.turn);
    this.turn.receive({ MODEL_SILENCE_SECONDS: silenceOf(props.model) });
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

  #allowClaudeApi({ baseUrl = CLAUDE_API_URL, ...model }: ClaudeApi, defaults: FunctionDefaults): ISecret {
    const key = this.#givenSecret(model) ?? this.#emptySecret(defaults);
    this.turn.receive({ MODEL_BASE_URL: baseUrl, MODEL_API_KEY_SECRET_ARN: key.secretArn });
    key.grantRead(this.turn.role);
    return key;
  }

  #givenSecret({ apiKeySecretArn, apiKeyKmsKeyArn }: Omit<ClaudeApi, 'baseUrl'>): ISecret | null {
    if (apiKeySecretArn === undefined) return null;
    if (apiKeyKmsKeyArn !== undefined) this.#allowDecrypting(apiKeyKmsKeyArn);
    return Secret.fromSecretCompleteArn(this, 'ModelApiKey', apiKeySecretArn);
  }

  /** Through Secrets Manager only. The key's own policy cannot be changed from here. */
  #allowDecrypting(keyArn: string): void {
    const viaService = `secretsmanager.${Stack.of(this).region}.amazonaws.com`;
    const when = { StringEquals: { 'kms:ViaService': viaService } };
    this.turn.receive({}, { actions: ['kms:Decrypt'], on: [keyArn], when });
  }

  #emptySecret({ removalPolicy }: FunctionDefaults): ISecret {
    const secret = new Secret(this, 'ModelApiKey', { description: 'API key of the model provider', removalPolicy });
    // A generated value would look like a key, and turns would fail only at the provider.
    (secret.node.defaultChild as CfnSecret).generateSecretString = undefined;
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason: 'The key is issued by the model provider; only its owner can replace it.',
    });
    // Under exactOptionalPropertyTypes, CDK's class does not fit CDK's interface.
    return secret as ISecret;
  }
}

function silenceOf({ silenceSeconds, silenceSecondsOf }: ModelOptions): string {
  const silence: SilenceSeconds = { default: silenceSeconds, models: silenceSecondsOf };
  return JSON.stringify(silence);
}
