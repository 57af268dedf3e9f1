/** The rights and settings with which the harness asks a model provider of AWS. */
import { Stack } from 'aws-cdk-lib';
import type { Bedrock, ClaudePlatformOnAws } from '../options/model-options.ts';
import type { EntryFunction } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';

export function allowBedrock(harness: EntryFunction, props: Bedrock): void {
  const { region, partition, account } = placeOf(harness, props);
  // The Region is open, because a profile leads to models in all Regions of its geography.
  const models = `arn:${partition}:bedrock:*::foundation-model/anthropic.*`;
  const profiles = `arn:${partition}:bedrock:${region}:${account}:inference-profile/*.anthropic.*`;
  harness.receive(
    { MODEL_BASE_URL: props.baseUrl ?? `https://bedrock-runtime.${region}.amazonaws.com`, MODEL_REGION: region },
    { actions: ['bedrock:InvokeModelWithResponseStream'], on: [models, profiles] },
  );
  const reason = 'An agent names its model: any of this maker, and nothing else of Bedrock.';
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

function placeOf(harness: EntryFunction, { region }: Bedrock | ClaudePlatformOnAws) {
  const stack = Stack.of(harness);
  return { region: region ?? stack.region, partition: stack.partition, account: stack.account };
}
