/** Who serves the model, and what the harness's role needs for it. */
import { Stack } from 'aws-cdk-lib';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { EntryFunction } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';

export interface ClaudeApi {
  readonly provider: 'anthropic';
  /** Any endpoint that speaks the Messages API. @default https://api.anthropic.com */
  readonly baseUrl?: string;
  /**
   * One that is encrypted with a key of your own must know that key (`Secret.fromSecretAttributes`).
   * @default a new, empty secret; a turn fails with a message that says so until it has a value
   */
  readonly apiKey?: ISecret;
}

/** Agents name models as Bedrock does: `global.anthropic.claude-opus-5-5`, `eu.anthropic.…-v1:0`. No key exists. */
export interface Bedrock {
  readonly provider: 'bedrock';
  /** @default the stack's */
  readonly region?: string;
  /** A VPC endpoint, say. @default the Region's own */
  readonly baseUrl?: string;
}

/** The Claude API, reached with the account's own roles. No key exists. */
export interface ClaudePlatformOnAws {
  readonly provider: 'claude-platform-on-aws';
  /** `wrkspc_…`: one of this account, in the Region. */
  readonly workspaceId: string;
  /** @default the stack's */
  readonly region?: string;
  /** @default the Region's own */
  readonly baseUrl?: string;
}

export type ModelProps = ClaudeApi | Bedrock | ClaudePlatformOnAws;
export type ModelProvider = ModelProps['provider'];

export function allowBedrock(harness: EntryFunction, props: Bedrock): void {
  const { region, partition, account } = placeOf(harness, props);
  // Each time the region may be empty or another: a profile leads to models in all Regions of its geography.
  const models = `arn:${partition}:bedrock:*::foundation-model/anthropic.*`;
  const profiles = `arn:${partition}:bedrock:${region}:${account}:inference-profile/*.anthropic.*`;
  harness.receive(
    { MODEL_BASE_URL: props.baseUrl ?? `https://bedrock-runtime.${region}.amazonaws.com`, MODEL_REGION: region },
    { actions: ['bedrock:InvokeModelWithResponseStream'], on: [models, profiles] },
  );
  const reason = 'Agents choose the model: every one of this maker, and nothing else of Bedrock.';
  for (const pattern of [models, profiles]) acknowledgePattern(harness.role, pattern, reason);
}

export function allowClaudePlatform(harness: EntryFunction, props: ClaudePlatformOnAws): void {
  const { region, partition, account } = placeOf(harness, props);
  harness.receive(
    {
      MODEL_BASE_URL: props.baseUrl ?? `https://aws-external-anthropic.${region}.api.aws`,
      MODEL_REGION: region,
      MODEL_WORKSPACE_ID: props.workspaceId,
    },
    {
      actions: ['aws-external-anthropic:CreateInference'],
      on: [`arn:${partition}:aws-external-anthropic:${region}:${account}:workspace/${props.workspaceId}`],
    },
  );
}

function placeOf(harness: EntryFunction, { region }: { readonly region?: string }) {
  const stack = Stack.of(harness);
  return { region: region ?? stack.region, partition: stack.partition, account: stack.account };
}
