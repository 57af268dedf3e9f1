/** Who serves the model, and what the harness's role needs for it. */
import { Stack } from 'aws-cdk-lib';
import type { Bedrock, ClaudePlatformOnAws } from '../options/model-options.ts';
import type { EntryFunction } from './entry-function.ts';
import { acknowledgePattern } from './finding.ts';

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

function placeOf(harness: EntryFunction, { region }: Bedrock | ClaudePlatformOnAws) {
  const stack = Stack.of(harness);
  return { region: region ?? stack.region, partition: stack.partition, account: stack.account };
}
